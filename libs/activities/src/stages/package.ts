import { basename, join } from 'node:path';
import { keysThat } from '@nautil/config';
import {
  type CachedInputs,
  type Evaluated,
  type JsonObject,
  type KeptArchive,
  keptSentence,
  type Packaged,
  replaceAt,
  type ResolvedRun,
  type StageResult,
  type TokenizedData,
  withoutSecrets,
} from '@nautil/contracts';
import { readLabelNames } from '@nautil/datasets';
import { openTensors } from '@nautil/formats';
import { limitInNemo, type NemoArtifact, writeNemo } from '@nautil/formats/nemo';
import { type Echo, logArchive } from '@nautil/nemo';
import { placeFile, requireIntact, stageOutput } from '@nautil/store';
import type { LoadedTokenizer } from '@nautil/tokenization';
import { type ArchiveRecord, encoderConfigOf, evaluationSettingsOf } from '@nautil/training';
import type { RequireOutput } from '../output-roots.js';
import { programVersion } from '../program-version.js';
import { requireReplaceable } from '../require-replaceable.js';
import { tokenizerNameOf } from './encoder-files.js';
import { keepResults } from './keep-results.js';
import { countedConfigOf, redoOf, resultDigestOf } from './run-settings.js';
import { tokenizerOf } from './tokenize.js';
import { trainJobOf } from './train-job.js';

/** Keys of `model` whose values are local paths. They are cleared in an archive; its artifacts replace some of the files. */
const pathKeys = keysThat(({ path }) => path === 'input' || path === 'output')
  .filter((key) => key.startsWith('model.'))
  .map((key) => key.slice('model.'.length));

/**
 * Writes the evaluated weights as a `.nemo` archive, and puts it at `model.nemo_path` and, if NeMo would, among the checkpoints.
 * An archive of another run that is there is kept beside it.
 */
export async function packageModel(o: {
  run: ResolvedRun;
  inputs: CachedInputs;
  tokens: TokenizedData;
  evaluated: Evaluated;
  echo?: Echo;

  /** Rejects places where the run may not write. */
  requireOutput?: RequireOutput;
}): Promise<StageResult<Packaged>> {
  const { tree, config } = await countedConfigOf(o.run, o.inputs.data);
  const job = await trainJobOf({ ...o, folder: o.run.folder });
  const encoderConfig = (await encoderConfigOf(job.encoder)) as JsonObject;
  const tokenizer = await tokenizerOf(config, o.inputs);
  const { labels } = o.inputs.data;
  const labelNames = labels && (await readLabelNames(labels.path));

  const packaged = withoutSecrets(tree['model']) as JsonObject;
  for (const key of pathKeys) replaceAt(packaged, key, null);
  replaceAt(packaged, 'language_model.pretrained_model_name', o.run.model);
  const tokenizerName = basename(tokenizerNameOf(config.model) ?? o.run.model);
  replaceAt(packaged, 'tokenizer.tokenizer_name', tokenizerName);

  // Without paths, so that equal runs write equal bytes wherever their files are.
  const lineage = { ...job.digests, config: resultDigestOf(config, { paths: false }), ...(await programVersion()) };
  const evaluation = evaluationSettingsOf(config, o.evaluated.scores?.split ?? 'test', job.classWeights);
  const record: ArchiveRecord = {
    version: 1,
    tokenizer: tokenizer.definition,
    ...(o.inputs.data.pairs === true ? { pairs: true } : {}),
    ...(labelNames ? { labels: labelNames } : {}),
    lineage,
    ...(o.evaluated.scores ? { metrics: { ...o.evaluated.scores } } : {}),
    evaluation,
  };
  const single = o.inputs.data.pairs === true ? ['NeMo opens the archive, but its classifier reads no pairs'] : [];
  const lossWeight = config.nautil.archive.loss_weight ? lossWeightOf(job.classWeights) : [];
  const vocabularyFile = vocabularyArtifact(tokenizer);
  const limit = limitInNemo({
    modelType: encoderConfig['model_type'],
    tokenizerName,
    hasVocabularyFile: vocabularyFile.length > 0,
  });
  const inputs = {
    lossWeight: lossWeight.length > 0,
    weights: o.evaluated.weights.sha256,
    config: packaged,
    lineage,
    tokenizer: tokenizer.digest,
    pairs: o.inputs.data.pairs,
    encoderConfig,
    scores: o.evaluated.scores,
    evaluation,
    redo: redoOf(o.run, 'package'),
  };
  const {
    output: made,
    reused,
    warnings,
  } = await stageOutput('package', inputs, async ({ folder }) => {
    await requireIntact(o.evaluated.weights);
    const source = await openTensors(o.evaluated.weights.path);
    try {
      return await writeNemo({
        path: join(folder, 'model.nemo'),
        config: packaged,
        tensors: [
          ...source.names().map((name) => ({ name, ...source.info(name), data: () => source.read(name) })),
          ...lossWeight,
        ],
        artifacts: [
          ...vocabularyFile,
          ...(limit === undefined ? [] : tokenizerJsonArtifact(tokenizer)),
          ...(labelNames
            ? [{ key: 'class_labels.class_labels_file', name: 'label_ids.tsv', content: text(labelNames) }]
            : []),
        ],
        encoderConfig,
        vocabulary: tokenizer.vocabulary(),
        record: record as unknown as JsonObject,
        keepLossWeight: lossWeight.length > 0,
      });
    } finally {
      await source.close();
    }
  });
  const { nemo_path } = config.model;
  const target = nemo_path ?? join(o.run.folder, 'model.nemo');
  // They were checked before the run; in the meantime, a link or another file may have taken the place.
  if (nemo_path !== null) {
    await o.requireOutput?.('model.nemo_path', nemo_path);
    await requireReplaceable('model.nemo_path', nemo_path);
  }
  const owner = `${o.run.workflowId}/${o.run.runKey}`;
  const kept: KeptArchive[] = [];
  const place = async (path: string): Promise<void> => {
    const keptAt = await placeFile(made, path, { owner, isShared: reused });
    if (keptAt !== undefined) kept.push({ path, keptAt });
  };
  await place(target);
  const amongCheckpoints = await logArchive(o.run, config, target, o.echo);
  if (amongCheckpoints !== undefined) await place(amongCheckpoints);
  const disk = await keepResults(o.run, config).catch(
    (error: unknown) => `the checkpoints are kept: ${(error as Error).message}`,
  );
  return {
    nemo: { ...made, path: target },
    stored: made.path,
    ...(kept.length > 0 && { kept }),
    reused,
    detail: target,
    notes: [...kept.map(keptSentence), disk, ...(limit ? [limit] : single), ...warnings],
  };
}

/** The buffer of NeMo's loss, which only a training with class weights has. */
function lossWeightOf(classWeights: readonly number[] | undefined) {
  if (classWeights === undefined) return [];
  const data = Float32Array.from(classWeights);
  return [{ name: 'loss.weight', dtype: 'F32' as const, shape: [data.length], data }];
}

/**
 * NeMo expects the vocabulary in the format of the tokenizer's class: lines for WordPiece, JSON for byte-level BPE, a SentencePiece
 * model for ALBERT and CamemBERT. Without the file of such a model, none is written: NeMo then loads the tokenizer by its name.
 */
function vocabularyArtifact(tokenizer: LoadedTokenizer): NemoArtifact[] {
  const { files, definition } = tokenizer;
  const key = 'tokenizer.vocab_file';
  if (files.vocab !== undefined) return [{ key, name: basename(files.vocab), content: files.vocab }];
  const tokens = tokenizer.vocabulary();
  switch (definition.json.model.type) {
    case 'WordPiece':
      return [{ key, name: 'vocab.txt', content: text([...tokens.keys()]) }];
    case 'BPE':
      return [{ key, name: 'vocab.json', content: Buffer.from(JSON.stringify(Object.fromEntries(tokens))) }];
    default:
      return [];
  }
}

/**
 * The tokenizer.json of an archive that NeMo does not open from its own files, under a key that NeMo does not have. Hugging Face's
 * libraries read it after the archive is unpacked.
 */
function tokenizerJsonArtifact({ files: { tokenizerJson } }: LoadedTokenizer): NemoArtifact[] {
  if (tokenizerJson === undefined) return [];
  return [{ key: 'tokenizer.tokenizer_file', name: 'tokenizer.json', content: tokenizerJson }];
}

const text = (lines: string[]): Uint8Array => new TextEncoder().encode(lines.map((line) => `${line}\n`).join(''));
