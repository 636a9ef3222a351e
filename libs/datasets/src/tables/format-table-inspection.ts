import { counted, largest } from '@nautil/contracts';
import { lengthLines, percent } from '../format-inspection.js';
import type { ClassShare, Repetition, SplitInspection, TableInspection } from './inspect-tables.js';
import { shortened } from './shown-names.js';

const barWidth = 20;
const listedClasses = 40;
const longestName = 24;
const longestExample = 72;

const repetitionTexts: Readonly<Record<Repetition['kind'], { one: string; many: string; hint: string }>> = {
  leak: {
    one: 'text is in more than one split, with the same label: scores on it are too good',
    many: 'texts are in more than one split, with the same label: scores on them are too good',
    hint: 'remove them from the training data',
  },
  conflict: {
    one: 'text occurs earlier with a different label',
    many: 'texts occur earlier with a different label',
    hint: 'choose one label for each text',
  },
  duplicate: {
    one: 'text occurs earlier in the same split, with the same label',
    many: 'texts occur earlier in the same split, with the same label',
    hint: 'remove them',
  },
};

/** Formats the inspection of tables for people. */
export function formatTableInspection(inspection: TableInspection): string {
  const { notes, splits, repetitions, names, comparedOnly } = inspection;
  const compared = comparedOnly === undefined ? [] : [`  (compared with the first ${comparedOnly} different texts)`];
  return [
    ...notes,
    ...splits.flatMap(splitLines),
    ...(repetitions.length === 0 ? [] : ['', 'Findings', ...repetitions.flatMap(repetitionLines), ...compared]),
    '',
    `A model can be trained on this, with ${counted(names.length, 'class', 'classes')}.`,
  ]
    .map((line) => line.trimEnd())
    .join('\n');
}

function splitLines(split: SplitInspection): string[] {
  const { classes, examples } = split;
  const most = largest(classes.map(({ share }) => share));
  const width = Math.min(longestName, largest(classes.map(({ label }) => label.length)));
  const more = classes.length - listedClasses;
  return [
    '',
    `${split.split}: ${counted(examples, 'example')}`,
    ...classes.slice(0, listedClasses).flatMap((found) => classLines(found, { most, width })),
    ...(more > 0 ? [`  and ${counted(more, 'more class', 'more classes')}`] : []),
    ...lengthLines(split),
  ];
}

function classLines(
  { label, id, count, share, examples = [] }: ClassShare,
  o: { most: number; width: number },
): string[] {
  const bar = '█'.repeat(Math.max(1, Math.round((share / o.most) * barWidth)));
  return [
    `  ${String(id).padStart(5)}  ${shortened(label, o.width).padEnd(o.width)}  ${String(count).padStart(8)}  ${percent(share)}  ${bar}`,
    ...examples.map((text) => `         ${shortened(text.replace('\t', ' | '), longestExample - 9)}`),
  ];
}

function repetitionLines({ kind, count, places }: Repetition): string[] {
  const { one, many, hint } = repetitionTexts[kind];
  const rest = count - places.length;
  return [
    `  ! ${counted(count, one, many)}`,
    ...places.map((place) => `      ${place}`),
    ...(rest > 0 ? [`      and ${rest} more`] : []),
    `      ${hint}`,
  ];
}
