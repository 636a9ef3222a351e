export {
  parseConfigTree,
  parseEvaluations,
  parseLoggedEvent,
  parseLoggedEvents,
  parseResolvedRun,
  parseSampleAnswers,
  type StoredEvaluation,
} from './parse-run-files.js';
export {
  InvalidJson,
  jsonLinesParser,
  jsonParser,
  jsonValidator,
  type JsonParser,
  type JsonValidator,
} from './json-parser.js';
