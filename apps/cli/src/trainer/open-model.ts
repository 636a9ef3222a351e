import { resolve } from 'node:path';
import { type Config, loadConfig } from '@nautil/config';
import { UsageError } from '@nautil/contracts';
import { Classifier } from '@nautil/training';
import { printMessage } from '../output.js';
import type { HydraArguments } from './hydra-arguments.js';

/** Opens the archive that `model.nemo_path` names. */
export async function openModel(
  args: HydraArguments,
  o: { cwd: string; batchSize: (config: Config) => number },
): Promise<{ classifier: Classifier; config: Config; path: string }> {
  const { configName, configPath, overrides } = args;
  const { config, notes } = await loadConfig({ configName, configPath, overrides, cwd: o.cwd });
  const { nemo_path, tokenizer } = config.model;
  if (nemo_path === null) throw new UsageError('model.nemo_path is null', { hint: 'model.nemo_path=FILE.nemo' });
  const path = resolve(o.cwd, nemo_path);
  const tokenizerFolder = tokenizer.vocab_file === null ? undefined : resolve(o.cwd, tokenizer.vocab_file, '..');
  const classifier = await Classifier.open(path, { batchSize: o.batchSize(config), tokenizerFolder });
  for (const note of [...notes, ...classifier.notes]) printMessage(`note: ${note}`);
  return { classifier, config, path };
}
