import { readdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { EncoderFiles, Made, ResolvedRun, Source } from '@nautil/contracts';
import { requireTrainingData } from './require-training-data.js';
import type { Settings } from '@nautil/config';
import { nautilHome } from '@nautil/store';
import { ModelNotFound } from '../errors.js';
import { configOf } from './run-settings.js';

/** Finds the raw data and the encoder of a run on this machine. */
export async function download({ run }: { run: ResolvedRun }): Promise<Made<Source>> {
  const { settings } = await configOf(run);
  const { data } = settings.nautil;
  requireTrainingData(settings);
  const encoder = await encoderFilesOf(settings);
  const { trainDs, validationDs, testDs } = settings.model;
  const given = {
    train: trainDs.filePath ?? undefined,
    validation: validationDs.filePath ?? undefined,
    test: testDs.filePath ?? undefined,
  };
  const source: Source['data'] = data.source === null ? given : { folder: data.source, ...given };
  return {
    data: source,
    encoder,
    reused: false,
    detail: `data ${source.folder ?? source.train}, encoder ${encoder.path ?? encoder.configFile ?? encoder.name}`,
  };
}

async function encoderFilesOf(settings: Settings): Promise<EncoderFiles> {
  const { languageModel, tokenizer } = settings.model;
  const name = languageModel.pretrainedModelName;
  const folder = await findModel(name);
  const random = languageModel.configFile !== null || languageModel.config !== null;
  if (folder === undefined && !random && languageModel.lmCheckpoint === null) {
    throw new ModelNotFound(`model.language_model.pretrained_model_name: ${name} is not on this machine`, {
      hint: [
        `looked at ${name} (as a folder), ${join(nautilHome(), 'models', name)}, and the Hugging Face cache`,
        'name a folder with config.json, model.safetensors and the tokenizer, or use all-MiniLM-L6-v2, which the set-up brings',
      ].join('\n'),
    });
  }
  const named = tokenizer.tokenizerName;
  const tokenizerFolder = named === null || named === name ? folder : await findModel(named);
  return {
    name,
    ...(folder === undefined || random ? {} : { path: folder }),
    ...(languageModel.configFile === null ? {} : { configFile: languageModel.configFile }),
    ...(languageModel.lmCheckpoint === null ? {} : { lmCheckpoint: languageModel.lmCheckpoint }),
    ...(tokenizerFolder === undefined ? {} : { tokenizerFolder }),
    ...(tokenizer.vocabFile === null ? {} : { vocabFile: tokenizer.vocabFile }),
  };
}

/** A folder, an installed model, or a snapshot in the Hugging Face cache. */
async function findModel(name: string): Promise<string | undefined> {
  const cache =
    process.env['HF_HUB_CACHE'] ?? join(process.env['HF_HOME'] ?? join(homedir(), '.cache', 'huggingface'), 'hub');
  const snapshots = join(cache, `models--${name.replaceAll('/', '--')}`, 'snapshots');
  const revisions = (await readdir(snapshots).catch((): string[] => [])).sort();
  const places = [name, join(nautilHome(), 'models', name), ...revisions.map((revision) => join(snapshots, revision))];
  for (const place of places) {
    const found = await stat(join(place, 'config.json')).catch(() => undefined);
    if (found?.isFile()) return place;
  }
  return undefined;
}
