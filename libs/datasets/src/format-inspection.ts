import { counted, largest } from '@nautil/contracts';
import type { Problem, TsvInspection } from './inspect-tsv.js';
import type { LengthSummary } from './length-histogram.js';

const marks = { error: '✗', warning: '!', note: '·' } as const;
const barWidth = 30;

/** Longer lists of labels end with a count of the rest. */
const listedLabels = 40;

/** Formats an inspection for people: the contents of the file, its problems with their places, and whether it is trainable. */
export function formatInspection(inspection: TsvInspection): string {
  const { path, lines, examples, sizeBytes, trainable } = inspection;
  return [
    `${path}: ${counted(lines, 'line')}, ${counted(examples, 'example')}, ${formatSize(sizeBytes)}`,
    ...section('Labels', labelLines(inspection)),
    ...section('Lengths', lengthLines(inspection)),
    ...section(
      'Findings',
      inspection.problems.flatMap((problem) => problemLines(path, problem)),
    ),
    '',
    trainable
      ? `The file is trainable, with num_classes ${inspection.numClasses}.`
      : 'The file is not trainable: fix the problems marked ✗.',
  ].join('\n');
}

function section(title: string, lines: string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines];
}

function labelLines({ labels }: TsvInspection): string[] {
  const most = largest(labels.map(({ share }) => share));
  const listed = labels.slice(0, listedLabels).map(({ label, name, count: examples, share }) => {
    const bar = '█'.repeat(Math.max(1, Math.round((share / most) * barWidth)));
    return `  ${String(label).padStart(5)}  ${String(examples).padStart(10)}  ${percent(share)}  ${bar}${name === undefined ? '' : `  ${name}`}`;
  });
  return labels.length > listedLabels
    ? [...listed, `  and ${counted(labels.length - listedLabels, 'more label')}`]
    : listed;
}

/** Characters of a word on average beyond which the language has no spaces between words, as Chinese. */
const longestWord = 14;

/** The table of lengths; empty without texts. */
export function lengthLines({
  characters,
  words,
  tokens,
}: Pick<TsvInspection, 'characters' | 'words' | 'tokens'>): string[] {
  const hasWords = words !== undefined && characters !== undefined && characters.mean < longestWord * words.mean;
  const rows = Object.entries({ characters, words: hasWords ? words : undefined, tokens }).filter(
    (row): row is [string, LengthSummary] => row[1] !== undefined,
  );
  if (rows.length === 0) return [];
  const columns = ['min', 'mean', 'median', '75 %', '95 %', '99 %', 'max'];
  const heading = `  ${''.padEnd(10)}${columns.map((name) => name.padStart(9)).join('')}`;
  return [
    heading,
    ...rows.map(([name, { min, mean, median, percentile75, percentile95, percentile99, max }]) => {
      const values = [min, mean, median, percentile75, percentile95, percentile99, max];
      return `  ${name.padEnd(10)}${values.map((value) => String(Math.round(value * 10) / 10).padStart(9)).join('')}`;
    }),
  ];
}

function problemLines(path: string, { severity, message, hint, count: times, places }: Problem): string[] {
  const rest = times - places.length;
  return [
    `  ${marks[severity]} ${message}${times > 1 || places.length > 0 ? ` (${counted(times, 'case')})` : ''}`,
    ...places.map(({ line, column, detail }) => `      ${path}:${line}:${column}${detail === '' ? '' : `  ${detail}`}`),
    ...(places.length > 0 && rest > 0 ? [`      and ${rest} more`] : []),
    `      ${hint}`,
  ];
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1).padStart(5)} %`;
}

function formatSize(bytes: number): string {
  if (bytes < 1024) return counted(bytes, 'byte');
  const power = Math.min(4, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(1)} ${['', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`;
}
