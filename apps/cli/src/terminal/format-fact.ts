import { wrapText } from './wrap-text.js';

const titleWidth = 10;

/** A title, and its text, whose further lines are below the first. @param width - of the terminal */
export const formatFact = (title: string, text: string, width: number): string =>
  title.padEnd(titleWidth) + wrapText(text, width - titleWidth).join(`\n${' '.repeat(titleWidth)}`);
