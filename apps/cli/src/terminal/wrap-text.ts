import { displayWidth } from '@nautil/metrics';

/**
 * Breaks a text into lines of at most `width` terminal cells, at spaces. A longer word, such as a path, stays whole, so that it can
 * be copied: the terminal itself breaks it.
 */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && displayWidth(longer) > width) {
      lines.push(line);
      line = word;
    } else {
      line = longer;
    }
  }
  return [...lines, line];
}
