export {
  parseConfigTree,
  parseEvaluations,
  parseLoggedEvent,
  parseLoggedEvents,
  parseResolvedRun,
  parseSampleAnswers,
  type StoredEvaluation,
} from './parse-run-files.js';
export { InvalidJson, jsonParser, jsonValidator, type JsonParser, type JsonValidator } from './json-parser.js';
