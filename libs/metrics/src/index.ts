export { Confusion } from './confusion.js';
export { formatNemoReport } from './nemo-report.js';
export { formatHistory, formatReport } from './format-report.js';
