export { classWeights, labelCounts, type LabelCounts } from './class-weights.js';
export { DataError } from './data-error.js';
export { examplesOf, isSkipped, readExamples, type ReadOptions, type SkippedLine } from './read-examples.js';
export { readLabelNames } from './read-label-names.js';
export {
  datasetNames,
  importDataset,
  type DatasetName,
  type ImportedDataset,
  type ImportOptions,
} from './import/import-dataset.js';
export { findNemoFiles, isNemoFileName, type NemoFiles } from './import/find-nemo-files.js';
export { formatInspection } from './format-inspection.js';
export { inspectTsv, type InspectOptions, type Problem, type TsvInspection } from './inspect-tsv.js';
