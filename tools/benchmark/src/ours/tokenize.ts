/** Times reading and tokenising the lines of a TSV file into a token cache, as the tokenise stage does. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { examplesOf, readExamples } from '@nautil/datasets';
import { buildTokenCache, loadTokenizer } from '@nautil/tokenization';
import { miniLm } from '../paths.js';
import { printSideOutput } from '../side-output.js';
import { peakMegabytes, withTemporaryFolder } from './timed-training.js';
import { writeLines } from './token-files.js';

const { values: o } = parseArgs({
  options: { lines: { type: 'string', default: '1000000' }, threads: { type: 'string', default: '0' } },
});
const figures = await withTemporaryFolder(async (folder) => {
  const tokenizer = await loadTokenizer({ folder: miniLm });
  const tokenize = async (lines: number): Promise<number> => {
    const file = join(folder, 'lines.tsv');
    await writeLines(file, lines);
    const startedAt = performance.now();
    await buildTokenCache({
      examples: examplesOf(readExamples(file), ({ reason }) => {
        throw new Error(reason);
      }),
      out: join(folder, 'lines.tokens'),
      tokenizer,
      maxLength: 64,
      key: '0'.repeat(64),
      numWorkers: Number(o.threads),
    });
    return (performance.now() - startedAt) / 1000;
  };
  const lines = Number(o.lines);
  await tokenize(lines / 10);
  const peakOfTenth = peakMegabytes();
  const seconds = await tokenize(lines);
  return { tokenize: [seconds], peak: [peakMegabytes()], growth: [peakMegabytes() - peakOfTenth] };
});
printSideOutput({ figures });
