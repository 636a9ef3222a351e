import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { loadConfig } from '@nautil/config';
import { withFolder } from '@nautil/testing';
import { ExperimentFolder } from './experiment-folder.js';

const t4 = 'GPU:0, Tesla T4, 14.6 GB, compute capability 7.5';

test.each([
  ['/device:CPU:0', {}, 'GPU available: False, used: False'],
  [
    '/device:CPU:0',
    { noGpu: 'this machine has no NVIDIA GPU' },
    'GPU available: False, used: False\nthe processor trains: this machine has no NVIDIA GPU',
  ],
  ['/device:CPU:0', { gpuDescriptions: [t4] }, `GPU available: True, used: False\n${t4}`],
  ['/device:GPU:0', { gpuDescriptions: [t4] }, `GPU available: True, used: True\n${t4}`],
])(
  'the log states the device that trains (%s of a machine with %j), not the requested one',
  (device, found: { gpuDescriptions?: string[]; noGpu?: string }, line) =>
    withFolder({}, async (folder) => {
      const { config } = await loadConfig({ overrides: ['trainer.accelerator=gpu'] });
      const experiment = await ExperimentFolder.open({ folder, manager: config.exp_manager });
      const gpus = found.gpuDescriptions?.length ?? 0;
      const counts = { step: 0, totalSteps: 1, stepsPerEpoch: 1, epochs: 1 };
      const sizes = { trainExamples: 1, validationExamples: 0, trainableParameters: 1 };
      await experiment.onProgress({ type: 'start', device, gpus, ...found, ...counts, ...sizes }, () =>
        Promise.resolve(),
      );
      await experiment.close();
      expect(await readFile(join(folder, 'lightning_logs.txt'), 'utf8')).toBe(`${line}\n`);
    }),
);
