/** Times `nautil sweep` over short trials. */
import { parseArgs } from 'node:util';
import { printSideOutput } from '../side-output.js';
import { nautil, sst2Overrides, timeCommand } from './command.js';
import { withTemporaryFolder } from './timed-training.js';
import { withServers } from './with-servers.js';

const { values: o } = parseArgs({ options: { trials: { type: 'string', default: '50' } } });
const trials = Number(o.trials);
const wall = await withTemporaryFolder((folder) =>
  withServers(folder, (env) => {
    const rates = Array.from({ length: trials }, (_, trial) => `${trial + 1}e-6`).join(',');
    const overrides = sst2Overrides(folder, '2').filter((override) => !override.startsWith('model.optim.lr='));
    return timeCommand(
      nautil(
        'sweep',
        ...overrides,
        `model.optim.lr=${rates}`,
        'trainer.limit_val_batches=2',
        'trainer.limit_test_batches=2',
      ),
      {
        env,
      },
    );
  }),
);
printSideOutput({ figures: { sweep: [wall], trial: [wall / trials] } });
