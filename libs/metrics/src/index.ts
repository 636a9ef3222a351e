export { Confusion } from './confusion.js';
export { formatNemoReport } from './nemo-report.js';
export { pythonFixed } from './python-fixed.js';
export { formatHistory, formatReport } from './format-report.js';
export { EventFile, readEvents } from './event-file.js';
export { recordTraining } from './record-training.js';
export { drawConfusionMatrix } from './confusion-matrix.js';
export { drawLearningCurve, type LossPoint } from './learning-curve.js';
export { drawScoreCurves } from './score-curves.js';
