import type { Example } from '@nautil/contracts';
import { writeFileAtomic } from '@nautil/store';
import { DataError } from './data-error.js';
import { parsePairLine } from './parse-pair.js';
import { isSkipped, parseLine } from './read-examples.js';
import { readLines } from './read-lines.js';

/**
 * Copies a TSV with other labels. Each line stays on its number, so that `num_samples` and line numbers in messages mean the
 * same in both files; lines that are not examples are copied as they are.
 *
 * @param newLabels - the new label by label
 * @param o.pairs - whether each line has two texts; default false
 * @throws DataError as `readLines`, and for a label without a new one
 */
export async function relabelTsv(
  source: string,
  target: string,
  newLabels: ReadonlyMap<number, number>,
  o: { pairs?: boolean | undefined } = {},
): Promise<void> {
  await writeFileAtomic(target, bytesOf(relabelled(source, newLabels, o.pairs === true ? parsePairLine : parseLine)));
}

async function* bytesOf(texts: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const text of texts) yield Buffer.from(text);
}

async function* relabelled(
  source: string,
  newLabels: ReadonlyMap<number, number>,
  parse: typeof parseLine,
): AsyncGenerator<string> {
  let line = 0;
  for await (const lines of readLines(source)) {
    let block = '';
    for (const content of lines) {
      line++;
      const found = parse(content, line);
      if (isSkipped(found)) {
        block += `${content}\n`;
        continue;
      }
      const label = newLabels.get(found.label);
      if (label === undefined) throw unknownLabel(`${source}:${line}`, found.label);
      block += `${textsOf(found).join('\t')}\t${label}\n`;
    }
    yield block;
  }
}

const textsOf = ({ text, textPair }: Example): string[] => (textPair === undefined ? [text] : [text, textPair]);

/** A label that the training file lacks, so that `nautil.data.relabel` has no number for it. */
export const unknownLabel = (place: string, label: number): DataError =>
  new DataError(`${place}: label ${label} does not occur in the training file, so relabelling has no class for it`, {
    hint: 'correct the label, or add examples with this label to the training file',
  });
