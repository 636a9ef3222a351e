/** Times the inference of MiniLM-L6 with a head on token ids: all test sentences of SST-2, and one short sentence. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '@nautil/config';
import { writeFileAtomic } from '@nautil/store';
import { readChunks } from '@nautil/store/streams';
import { Classifier } from '@nautil/training';
import { benchmarkFolder } from '../paths.js';
import { median } from '../row.js';
import { printSideOutput } from '../side-output.js';
import { makeStateFolder, nxTrain, sst2Overrides, timeCommand } from './command.js';
import { withTemporaryFolder } from './timed-training.js';
import { readSst2 } from './token-files.js';

const { values: o } = parseArgs({
  options: {
    precision: { type: 'string', default: 'float32' },
    threads: { type: 'string', default: '0' },
    runs: { type: 'string', default: '3' },
  },
});

/** An archive of MiniLM-L6 after one step. */
const nemo = join(benchmarkFolder, 'minilm.nemo');
if (!existsSync(nemo)) {
  await withTemporaryFolder(async (folder) => {
    const env = { NAUTIL_HOME: await makeStateFolder(join(folder, 'state')) };
    await timeCommand(nxTrain(sst2Overrides(folder, '1')), { env });
    await writeFileAtomic(nemo, readChunks(join(folder, 'model.nemo')));
  });
}

/** In float32 and int8 the engine is the one of `nautil predict`, in bfloat16 that of evaluations. */
const { config: runAs } = await loadConfig({
  overrides: ['trainer.accelerator=cpu', 'trainer.precision=bf16', `nautil.intra_op_threads=${o.threads}`],
});
const classifier = await Classifier.open(
  nemo,
  o.precision === 'bfloat16' ? { runAs } : { engine: 'auto', precision: o.precision === 'int8' ? 'int8' : 'float32' },
);
const encode = (text: string): number[] => classifier.tokenizer.encode(text, 64);
const time = async (rows: number[][]): Promise<number> => {
  const startedAt = performance.now();
  await classifier.logits(rows);
  return performance.now() - startedAt;
};
const times = async (runs: number, rows: number[][]): Promise<number[]> => {
  const list: number[] = [];
  for (let run = 0; run < runs; run++) list.push(await time(rows));
  return list;
};

const all = (await readSst2('test')).map(({ text }) => encode(text));
const one = [encode('a gorgeous , witty , seductive movie')];
await time(all);
await times(20, one);
printSideOutput({
  figures: {
    all: (await times(Number(o.runs), all)).map((milliseconds) => milliseconds / 1000),
    one: [median(await times(200, one))],
  },
});
classifier.close();
