/** Times `nautil run` and `nautil train` alternately with the same servers, and reports the difference. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { printSideOutput } from '../side-output.js';
import { nautil, sst2Overrides, timeCommand } from './command.js';
import { withTemporaryFolder } from './timed-training.js';
import { withServers } from './with-servers.js';

const { values: o } = parseArgs({ options: { runs: { type: 'string', default: '3' } } });
const figures = await withTemporaryFolder((folder) =>
  withServers(folder, async (env) => {
    const runs: { workflow: number; trainer: number }[] = [];
    for (let run = 0; run <= Number(o.runs); run++) {
      const own = join(folder, `run-${run}`);
      await mkdir(own);
      const timed = (command: string): Promise<number> =>
        timeCommand(nautil(command, ...sst2Overrides(own, '20')), { env });
      const pair = { trainer: await timed('train'), workflow: await timed('run') };
      if (run > 0) runs.push(pair); // the first pair fills the caches
    }
    return {
      overhead: runs.map(({ workflow, trainer }) => workflow - trainer),
      workflow: runs.map(({ workflow }) => workflow),
      trainer: runs.map(({ trainer }) => trainer),
    };
  }),
);
printSideOutput({ figures });
