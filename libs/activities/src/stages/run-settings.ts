import { readFile } from 'node:fs/promises';
import { type Config, readConfig } from '@nautil/config';
import type { JsonObject, ResolvedRun, Stage } from '@nautil/contracts';
import { parseConfigTree } from '@nautil/contracts/schemas';

/** The resolved configuration of a run, read back from its file. */
export async function configOf(run: Pick<ResolvedRun, 'config'>): Promise<{ tree: JsonObject; config: Config }> {
  const { path } = run.config;
  const tree = parseConfigTree(await readFile(path, 'utf8'), path);
  return { tree, config: readConfig(tree) };
}

/** Token of a stage that the user requested again, which changes the hash of its inputs; undefined for all other stages. */
export const redoOf = (run: ResolvedRun, stage: Stage): string | undefined => run.redone?.[stage];

/** Keys that say where something lies or goes. What lies there counts by its digest. */
export const places: readonly string[] = [
  'model.nemo_path',
  'model.train_ds.file_path',
  'model.validation_ds.file_path',
  'model.test_ds.file_path',
  'model.class_labels',
  'model.tokenizer',
  'model.language_model.pretrained_model_name',
  'model.language_model.lm_checkpoint',
  'model.language_model.config_file',
  'exp_manager.exp_dir',
  'exp_manager.explicit_log_dir',
  'exp_manager.version',
  'exp_manager.use_datetime_version',
  'exp_manager.resume_if_exists',
  'exp_manager.resume_past_end',
  'exp_manager.resume_ignore_no_checkpoint',
  'exp_manager.create_tensorboard_logger',
  'nautil.data',
  'nautil.mlflow',
];
