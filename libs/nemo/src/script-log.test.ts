import { mkdirSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { loadConfig } from '@nautil/config';
import { withFolder } from '@nautil/testing';
import { logCountedConfig, recordEvaluationSettings } from './script-log.js';

/** The files below a folder that this process has open. */
const openFilesIn = (folder: string): string[] =>
  readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      const path = readlinkSync(join('/proc/self/fd', descriptor));
      return path.startsWith(folder) ? [path] : [];
    } catch {
      return []; // the descriptor of readdir itself
    }
  });

test.each(['logCountedConfig', 'recordEvaluationSettings'])(
  'a log folder that cannot be written keeps no file of it open: %s',
  async (name) => {
    const { config, tree } = await loadConfig({ overrides: ['model.train_ds.file_path=x'] });
    await withFolder({}, async (logDir) => {
      mkdirSync(join(logDir, 'hparams.yaml'));
      const failing =
        name === 'logCountedConfig'
          ? logCountedConfig({ logDir }, { tree, config })
          : recordEvaluationSettings({ logDir }, { tree, config, evaluation: {} });
      await expect(failing).rejects.toThrow('hparams.yaml');
      expect(readdirSync(logDir).filter((file) => file.startsWith('events.out.tfevents'))).toHaveLength(1);
      expect(openFilesIn(logDir)).toEqual([]);
    });
  },
);
