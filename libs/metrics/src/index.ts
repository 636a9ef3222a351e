export { Confusion } from './confusion.js';
export { judgeRun, type JudgedRun, learningRateForWidth, mostUnknown } from './judge-run.js';
export { improves, monitored } from './monitored.js';
export { formatHistory, formatReport } from './format-report.js';
export { drawConfusionMatrix } from './confusion-matrix.js';
export { drawLearningCurve } from './learning-curve.js';
export { drawScoreCurves } from './score-curves.js';
export { cutToWidth, displayWidth, layOutTable, type Column } from './text-table.js';
export { macroNote, macroTags } from './macro-note.js';
