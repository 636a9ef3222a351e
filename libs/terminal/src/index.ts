export { formatDuration, TrainingDisplay, type TrainingPlace } from './training-display.js';
