export { requireText, textIn } from './cell-text.js';
export {
  chooseColumns,
  chooseModelColumns,
  type ChosenRole,
  type ColumnOptionNames,
  ColumnsUnclear,
  rankColumns,
} from './choose-columns.js';
export { columnDoubt, type ColumnProfile, profileColumns } from './column-profile.js';
export { type ConvertedTables, convertTables, tablesAt } from './convert-tables.js';
export {
  type DataSplit,
  dataSplits,
  divideExamples,
  type DivideOptions,
  divisionNotes,
  sampling,
  sizesOf,
  type SplitSizes,
} from './divide-examples.js';
export { ExactNumber } from './exact-json.js';
export { findTableSplits, tablesBySplit } from './find-table-splits.js';
export { formatTableInspection } from './format-table-inspection.js';
export { inspectTables, type TableInspection } from './inspect-tables.js';
export { idsNote, labelIds, numbersNote } from './label-ids.js';
export { openModelTables, type PlacedExample } from './model-tables.js';
export { unlabelledRow } from './nemo-table.js';
export { isNemoFile, openTable, refuseDocument, tableFormatIn } from './open-table.js';
export { labelReader, type SurveyOptions, surveyTables } from './survey-tables.js';
export { unpackedText } from './table-bytes.js';
export { tableExamples, tsvExamples, writeClassNames } from './table-examples.js';
export type { Table } from './table.js';
