import { counted } from '@nautil/contracts';
import { type DataSplit, openModelTables, type PlacedExample } from '@nautil/datasets/tables';
import { cutToWidth, suspectLabels } from '@nautil/metrics';
import type { Classifier } from '@nautil/training';
import { chunksOf } from './chunks.js';
import { type ColumnFlags, columnOptionNames, namedColumns } from './column-options.js';
import type { JudgedExample } from './example-list.js';
import { printMessage } from './output.js';
import { ProgressLine } from './predict/progress-line.js';

/** The labels of a split that a model doubts; plain JSON. */
export interface SuspectedLabels {
  split: DataSplit;
  examples: number;
  classes: { label: string; id: number; examples: number; suspected: number; meanScore: number }[];

  /** The most doubtful first. */
  suspects: JudgedExample[];
}

export interface SuspectOptions {
  split: DataSplit;
  paths: readonly string[];
  columns: ColumnFlags;
  skipsUnknown: boolean;
}

/**
 * Classifies the examples of a split, and finds the labels with which the model confidently disagrees. Memory grows with the
 * number of examples times that of classes: four bytes each.
 *
 * @throws DataError for tables that do not suit the model
 */
export async function findSuspectedLabels(classifier: Classifier, o: SuspectOptions): Promise<SuspectedLabels> {
  const { count, labelNote, unknown, examples } = await openModelTables({
    paths: o.paths,
    columns: namedColumns(o.columns),
    keys: columnOptionNames,
    model: classifier,
    skipsUnknown: o.skipsUnknown,
  });
  for (const note of [labelNote, unknown]) if (note !== undefined) printMessage(`note: ${note}`);
  const { numClasses } = classifier;
  const { labels, probabilities } = await classify(classifier, examples());
  const { suspects, meanScores } = suspectLabels({ labels, probabilities, numClasses });
  const nameOf = (id: number): string => classifier.labels?.[id] ?? String(id);
  const judged = new Map<number, JudgedExample>();
  const wanted = new Map(suspects.map((suspect) => [suspect.row, suspect]));
  let row = 0;
  for await (const { place, text, textPair } of examples()) {
    const found = wanted.get(row);
    if (found) {
      const { labelScore, otherScore } = found;
      const [label, other] = [nameOf(found.label), nameOf(found.other)];
      judged.set(row, { place, text, textPair, label, other, labelScore, otherScore });
    }
    row++;
  }
  const inClass = countsOf(labels);
  const suspected = countsOf(suspects.map(({ label }) => label));
  return {
    split: o.split,
    examples: count,
    classes: meanScores
      .map((meanScore, id) => ({
        label: nameOf(id),
        id,
        examples: inClass.get(id) ?? 0,
        suspected: suspected.get(id) ?? 0,
        meanScore,
      }))
      .filter((of) => of.examples > 0),
    suspects: suspects.flatMap((suspect) => judged.get(suspect.row) ?? []),
  };
}

/** How often each label occurs. */
function countsOf(labels: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
}

async function classify(
  classifier: Classifier,
  examples: AsyncIterable<PlacedExample>,
): Promise<{ labels: number[]; probabilities: Float32Array[] }> {
  const labels: number[] = [];
  const probabilities: Float32Array[] = [];
  const progress = new ProgressLine();
  try {
    for await (const chunk of chunksOf(examples, { prompt: false })) {
      const inputs = chunk.map(({ text, textPair }) => (textPair === undefined ? text : ([text, textPair] as const)));
      for (const { scores } of await classifier.predict(inputs)) probabilities.push(Float32Array.from(scores));
      for (const { label } of chunk) labels.push(label);
      progress.add(chunk.length);
    }
  } finally {
    progress.end();
  }
  return { labels, probabilities };
}

const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;
const longestText = 60;

/**
 * Formats suspected labels for people.
 *
 * @param o.shown - number of examples of each class
 */
export function formatSuspectedLabels(splits: readonly SuspectedLabels[], o: { model: string; shown: number }): string {
  return [
    '',
    `Suspected labels, with ${o.model}`,
    ...splits.flatMap((split) => splitLines(split, o.shown)),
    '',
    'A label is suspected where another class is as probable as that class is, on average, on the examples with its label.',
    'Of examples that the model was trained on, it has learnt some wrong labels by heart, and finds fewer of them.',
  ].join('\n');
}

function splitLines({ split, examples, classes, suspects }: SuspectedLabels, shown: number): string[] {
  return [
    `  ${split}: ${suspects.length} of ${counted(examples, 'label')} (${percent(suspects.length, examples)})`,
    ...classes.flatMap(({ label, examples: inClass, suspected, meanScore }) => {
      const some = suspects.filter((suspect) => suspect.label === label).slice(0, shown);
      return [
        `    ${label}: ${suspected} of ${inClass} (mean probability of the label ${meanScore.toFixed(2)})`,
        ...some.map(
          ({ place, other, otherScore, labelScore, text }) =>
            `      ${place}: ${other} ${otherScore.toFixed(2)}, ${label} ${labelScore.toFixed(2)}: ${cutToWidth(text, longestText)}`,
        ),
        ...(suspected > some.length ? [`      and ${suspected - some.length} more`] : []),
      ];
    }),
  ];
}
