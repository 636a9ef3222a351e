export { readEvents } from './event-file.js';
export { logFile } from './experiment-log.js';
export { ExperimentFolder } from './experiment-folder.js';
export { resumePoint } from './create-log-dir.js';
export { linkOrCopy } from './kept-checkpoints.js';
export {
  beginExperiment,
  logAnswers,
  logArchive,
  logCountedConfig,
  logRead,
  logTest,
  recordEvaluationSettings,
  type Echo,
} from './script-log.js';
