export { EventFile, readEvents } from './event-file.js';
export { ExperimentFolder, type ExperimentOptions } from './experiment-folder.js';
export { linkOrCopy, type WriteCheckpoint } from './kept-checkpoints.js';
export { formatNemoReport } from './nemo-report.js';
export { CannotResume, createLogDir, type LogDir } from './create-log-dir.js';
export { recordTraining } from './record-training.js';
export { beginExperiment, logAnswers, logArchive, logRead, logTest, type Echo } from './script-log.js';
export { logSplit, logStartOfRun, type StartOfRun, type TokenizedSplit } from './start-of-run-log.js';
