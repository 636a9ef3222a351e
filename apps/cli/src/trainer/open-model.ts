import { resolve } from 'node:path';
import { loadConfig, type Settings } from '@nautil/config';
import { Classifier } from '@nautil/training';
import { UsageError } from '@nautil/contracts';
import type { HydraArguments } from './hydra-arguments.js';

/** The archive that `model.nemo_path` names, opened, with the configuration that named it. */
export async function openModel(
  args: HydraArguments,
  o: { cwd: string; batchSize: (settings: Settings) => number },
): Promise<{ classifier: Classifier; settings: Settings; path: string }> {
  const { configName, configPath, overrides } = args;
  const { settings, notes } = await loadConfig({ configName, configPath, overrides, cwd: o.cwd });
  const { nemoPath, tokenizer } = settings.model;
  if (nemoPath === null) throw new UsageError('model.nemo_path is null', { hint: 'model.nemo_path=FILE.nemo' });
  const path = resolve(o.cwd, nemoPath);
  const tokenizerFolder = tokenizer.vocabFile === null ? undefined : resolve(o.cwd, tokenizer.vocabFile, '..');
  const classifier = await Classifier.open(path, { batchSize: o.batchSize(settings), tokenizerFolder });
  for (const note of [...notes, ...classifier.notes]) process.stderr.write(`note: ${note}\n`);
  return { classifier, settings, path };
}
