export { Confusion } from './confusion.js';
export { formatNemoReport } from './nemo-report.js';
