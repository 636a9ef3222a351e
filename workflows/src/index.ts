export { textClassification } from './text-classification.js';
