export { classWeights, labelCounts, type LabelCounts } from './class-weights.js';
export { DataError } from './data-error.js';
export {
  examplesOf,
  isSkipped,
  readExamples,
  type Example,
  type ReadOptions,
  type SkippedLine,
} from './read-examples.js';
export { readLabelNames } from './read-label-names.js';
