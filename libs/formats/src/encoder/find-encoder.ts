import { hubCacheFolder, hubRepositoryFolder, isHubName, nautilHome } from '@nautil/store';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FileUnavailable } from '../errors.js';
import { isHubRepository, snapshotOf } from './hub-cache.js';

/**
 * The folder or file that a model's name stands for on this machine: a path, a model that the set-up installed, or a
 * snapshot in the hub's cache. Nothing is fetched. Give the result to `openEncoder`.
 *
 * @example await findEncoder('google/bert_uncased_L-2_H-128_A-2')
 *
 * @param o.models - folder of installed models; default `models` under Nautil's home
 * @param o.hubCache - default `hubCacheFolder()` of the store
 * @throws FileUnavailable with the places that were looked at, and for a name of NGC's with the file to fetch
 */
export async function findEncoder(name: string, o: { models?: string; hubCache?: string } = {}): Promise<string> {
  const models = o.models ?? join(nautilHome(), 'models');
  const hubCache = o.hubCache ?? hubCacheFolder();
  const isName = isHubName(name);
  const installed = join(models, name);
  const repository = hubRepositoryFolder({ type: 'model', name }, hubCache);
  if (existsSync(name)) return isHubRepository(name) ? snapshotOf(name) : name;
  if (isName && existsSync(installed)) return installed;
  if (isName && existsSync(repository)) return snapshotOf(repository);
  const lookedAt = isName ? `looked for ${[name, installed, repository].join(', ')}` : `looked for ${name}`;
  throw new FileUnavailable(name, 'this model is not on this machine', {
    hint: [...(megatronHint(name, installed) ?? [otherwise]), lookedAt].join('\n'),
  });
}

const otherwise =
  'give a folder with config.json, model.safetensors or pytorch_model.bin, and the files of the tokenizer';

/** Whether a name is one that NeMo resolves by NGC, which no hub has. */
export const isMegatronName = (name: string): boolean => megatronHint(name, '') !== undefined;

/** What to fetch for the names that NeMo resolves by NGC, in the spellings of all its versions; undefined for others. */
function megatronHint(name: string, folder: string): string[] | undefined {
  const [, biomedical, rest = ''] = /^(bio)?megatron[-_]?(.*)$/.exec(name.replaceAll('_', '-')) ?? [];
  if (!/^(?:bert-)?(?:345m-?)?(?:biovocab-(?:30|50)k-)?(?:un)?cased$/.test(rest)) return undefined;
  if (rest.includes('biovocab')) {
    return [
      'NGC has this model as a .nemo of NeMo Megatron only, which is not read',
      'fetch a checkpoint of Megatron-LM (biomegatron-bert-345m-uncased has one), or one converted to Hugging Face',
    ];
  }
  const casing = rest.endsWith('uncased') ? 'uncased' : 'cased';
  const put = `and put it into ${folder}, or give its path as model.language_model.lm_checkpoint`;
  if (biomedical) return [`fetch MegatronBERT.pt of the NGC model nvidia/biomegatron345m${casing},`, put];
  if (!rest.includes('345m'))
    return [`this name means a checkpoint of Megatron-LM of your own: take its model_optim_rng.pt`, put];
  return [
    `fetch release/mp_rank_00/model_optim_rng.pt of the NGC model nvidia/megatron_bert_345m, version v0.1_${casing},`,
    put,
  ];
}
