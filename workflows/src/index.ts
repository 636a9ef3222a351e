export { sweep } from './sweep.js';
export { textClassification } from './text-classification.js';
