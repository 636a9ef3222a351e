/** Times `nx run trainer:train` from its start to its end, with empty caches: tokenise, train, evaluate on dev and test, package. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { printSideOutput } from '../side-output.js';
import { makeStateFolder, nxTrain, sst2Overrides, timeCommand } from './command.js';
import { withTemporaryFolder } from './timed-training.js';

const { values: o } = parseArgs({ options: { batches: { type: 'string', default: '' } } });
const wall = await withTemporaryFolder(async (folder) => {
  const env = { NAUTIL_HOME: await makeStateFolder(join(folder, 'state')) };
  return timeCommand(nxTrain(sst2Overrides(folder, o.batches)), { env });
});
printSideOutput({ figures: { wall: [wall] } });
