export {
  parseConfigTree,
  parseEvaluations,
  parseLoggedEvent,
  parseLoggedEvents,
  parseResolvedRun,
  parseSampleAnswers,
  type StoredEvaluation,
} from './parse-run-files.js';
export { InvalidJson, jsonLinesParser, jsonParser } from './json-parser.js';
