export {
  type DataSplit,
  dataSplits,
  divideExamples,
  type DivideOptions,
  divisionNotes,
  sizesOf,
  type SplitSizes,
} from './divide-examples.js';
export { findTableSplits, isTableName } from './find-table-splits.js';
export { isNemoFile, openTable } from './open-table.js';
export { type SurveyOptions, surveyTables } from './survey-tables.js';
export { tableExamples, tsvExamples, writeClassNames } from './table-examples.js';
