import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { loadConfig } from '@nautil/config';
import { withFolder } from '@nautil/testing';
import { ExperimentFolder } from './experiment-folder.js';

test.each([
  ['/device:CPU:0', 0, 'GPU available: False, used: False'],
  ['/device:CPU:0', 1, 'GPU available: True, used: False'],
  ['/device:GPU:0', 1, 'GPU available: True, used: True'],
])(
  'the log states the device that trains (%s of a machine with %i GPUs), not the requested one',
  (device, gpus, line) =>
    withFolder({}, async (folder) => {
      const { config } = await loadConfig({ overrides: ['trainer.accelerator=gpu'] });
      const experiment = await ExperimentFolder.open({ folder, manager: config.exp_manager });
      const counts = { step: 0, totalSteps: 1, stepsPerEpoch: 1, epochs: 1 };
      const sizes = { trainExamples: 1, validationExamples: 0, trainableParameters: 1 };
      await experiment.onProgress({ type: 'start', device, gpus, ...counts, ...sizes }, () => Promise.resolve());
      await experiment.close();
      expect(await readFile(join(folder, 'lightning_logs.txt'), 'utf8')).toBe(`${line}\n`);
    }),
);
