/** Times `inspect`, tokenising and the way to the first step of a training for a file of many lines. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { smallest } from '@nautil/contracts';
import { examplesOf, inspectTsv, readExamples } from '@nautil/datasets';
import { buildTokenCache, loadTokenizer } from '@nautil/tokenization';
import { miniLm } from '../paths.js';
import { printSideOutput } from '../side-output.js';
import { peakMegabytes, timeTraining, withTemporaryFolder } from './timed-training.js';
import { writeLines } from './token-files.js';

const { values: o } = parseArgs({ options: { rows: { type: 'string', default: '10000' } } });

const figures = await withTemporaryFolder(async (folder) => {
  const [file, trainCache] = [join(folder, 'lines.tsv'), join(folder, 'lines.tokens')];
  await writeLines(file, Number(o.rows));
  const seconds = async (work: () => Promise<unknown>): Promise<number> => {
    const startedAt = performance.now();
    await work();
    return (performance.now() - startedAt) / 1000;
  };
  const inspect = await seconds(() => inspectTsv(file));
  const inspectPeak = peakMegabytes();
  const tokenizer = await loadTokenizer({ folder: miniLm });
  const examples = examplesOf(readExamples(file), ({ reason }) => {
    throw new Error(reason);
  });
  const tokenize = await seconds(() =>
    buildTokenCache({ examples, out: trainCache, tokenizer, maxLength: 64, key: '0'.repeat(64), numWorkers: 0 }),
  );
  const tokenizePeak = peakMegabytes();
  const openedAt = performance.now();
  const { stepsEndedAt } = await timeTraining({
    folder,
    trainCache,
    encoder: { path: miniLm },
    overrides: ['trainer.max_steps=1', 'model.train_ds.batch_size=32', 'nautil.checkpoint_every_n_steps=0'],
  });
  return {
    inspect: [inspect],
    tokenize: [tokenize],
    first: [(smallest(stepsEndedAt) - openedAt) / 1000],
    inspectPeak: [inspectPeak],
    tokenizePeak: [tokenizePeak],
    peak: [peakMegabytes()],
  };
});
printSideOutput({ figures });
