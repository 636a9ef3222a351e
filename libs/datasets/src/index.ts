export { classWeights, labelCounts, type LabelCounts } from './class-weights.js';
export { DataError } from './data-error.js';
export { examplesOf, readExamples } from './read-examples.js';
export { readLabelNames } from './read-label-names.js';
export { datasetNames, importDataset, type ImportedDataset } from './import/import-dataset.js';
export { findNemoFiles, isNemoFileName } from './import/find-nemo-files.js';
export { formatInspection } from './format-inspection.js';
export { inspectTsv } from './inspect-tsv.js';
export { readLines, type TextSource } from './read-lines.js';
