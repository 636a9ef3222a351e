export {
  parseConfigTree,
  parseEvaluations,
  parseLoggedEvent,
  parseLoggedEvents,
  parseResolvedRun,
  parseSampleAnswers,
  type StoredEvaluation,
} from './parse-run-files.js';
export { classificationReport, float } from './event-schemas.js';
export {
  InvalidJson,
  jsonMatcher,
  jsonParser,
  jsonValidator,
  type JsonParser,
  type JsonValidator,
  variants,
} from './json-parser.js';
export { parseJson } from './parse-json.js';
export { withinYamlBounds } from './within-yaml-bounds.js';
export {
  validateFromTrainer,
  validateToTrainer,
  validateTrainHeartbeat,
  validateTrainingResult,
} from './trainer-messages.js';
