/** Times `nautil run` and `nautil train` alternately with the same servers, and reports the difference of their best times. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { smallest } from '@nautil/contracts';
import { printSideOutput } from '../side-output.js';
import { nautil, sst2Overrides, timeCommand } from './command.js';
import { withTemporaryFolder } from './timed-training.js';
import { withServers } from './with-servers.js';

const { values: o } = parseArgs({ options: { runs: { type: 'string', default: '3' } } });
const { workflows, trainers } = await withTemporaryFolder((folder) =>
  withServers(folder, async (env) => {
    const seconds = { workflows: [] as number[], trainers: [] as number[] };
    for (let run = 0; run <= Number(o.runs); run++) {
      const own = join(folder, `run-${run}`);
      await mkdir(own);
      const timed = (command: string): Promise<number> =>
        timeCommand(nautil(command, ...sst2Overrides(own, '20')), { env });
      const [trainer, workflow] = [await timed('train'), await timed('run')];
      if (run === 0) continue; // the first pair fills the caches
      seconds.trainers.push(trainer);
      seconds.workflows.push(workflow);
    }
    return seconds;
  }),
);
const shown = (seconds: readonly number[]): string => seconds.map((value) => value.toFixed(1)).join(', ');
printSideOutput({
  // Not the best of the differences: what delays the trainer makes a difference smaller.
  figures: { overhead: [smallest(workflows) - smallest(trainers)] },
  notes: [`workflow ${shown(workflows)} s, trainer alone ${shown(trainers)} s`],
});
