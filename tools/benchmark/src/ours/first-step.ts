/** Times `nx run trainer:train` from its start to its first step. An earlier run has filled the caches. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { printSideOutput } from '../side-output.js';
import { makeStateFolder, nxTrain, sst2Overrides, timeCommand } from './command.js';
import { withTemporaryFolder } from './timed-training.js';

const { values: o } = parseArgs({ options: { runs: { type: 'string', default: '3' } } });
const seconds = await withTemporaryFolder(async (folder) => {
  const env = { NAUTIL_HOME: await makeStateFolder(join(folder, 'state')) };
  const untilFirstStep = () => timeCommand(nxTrain(sst2Overrides(folder)), { env, until: /step 1\// });
  await untilFirstStep();
  const times: number[] = [];
  for (let run = 0; run < Number(o.runs); run++) times.push(await untilFirstStep());
  return times;
});
printSideOutput({ figures: { first: seconds } });
