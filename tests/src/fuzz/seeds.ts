import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { isJsonObject, type JsonObject, type JsonValue } from '@nautil/contracts';
import { parseJson } from '@nautil/contracts/schemas';
import { writeSealedSafetensors } from '@nautil/formats';
import { copyArchive } from '@nautil/formats/testing/copy-archive';
import { rawSafetensors, rawTar, rawZip, type TarEntry } from '@nautil/formats/testing/hostile-files';
import { mutate, type Random, randomFrom } from '@nautil/formats/testing/mutate';
import { packageRoot } from '@nautil/store/folders';
import { goldenFiles, goldenPath } from '@nautil/testing/golden-set';
import { loadTokenizer } from '@nautil/tokenization';
import { unigramJson } from '@nautil/tokenization/testing/unigram-json';
import { messages, trainingState } from './messages.js';
import { mutateJson } from './mutate-json.js';
import { mutateText } from './mutate-text.js';
import type { Format } from './readers.js';

/** A sound file, and how to change its structure. */
export interface Seed {
  format: Format;

  /** The name of the file, with which its reader may find it. */
  file: string;

  /** The files that its reader finds beside it. */
  companions: readonly string[];

  /** How often it is drawn, compared with the others. Default 1. */
  weight?: number;

  /** Writes a mutated copy to a path. */
  write: (random: Random, path: string) => Promise<Buffer> | Buffer;
}

/** The seeds of all formats. Their order is part of what a printed seed means. */
export function allSeeds(): Seed[] {
  const archives = goldenFiles('nemo', '.nemo');
  const models = ['bert-tiny-uncased', 'roberta-tiny', 'distilbert-tiny', 'megatron-bert-tiny'].map((name) =>
    goldenPath(name),
  );
  const tensorFiles = goldenFiles('.', '.safetensors', '.bin', '.pt').filter(
    (path) => statSync(path).size < 400_000 && !basename(path).startsWith('traj_'),
  );
  return [
    ...archives.flatMap((path): Seed[] => [
      { format: 'archive', ...fileAt(path), write: (random) => mutatedArchive(readFileSync(path), random) },
      { format: 'classifier', ...fileAt(path), write: (random) => mutatedArchive(readFileSync(path), random) },
    ]),
    { format: 'archive', file: 'nautil.nemo', companions: [], weight: 2, write: mutatedOwnArchive },
    { format: 'classifier', file: 'nautil.nemo', companions: [], weight: 3, write: mutatedOwnArchive },
    ...tensorFiles.map((path): Seed => ({
      format: 'tensors',
      ...fileAt(path),
      write: (random) => mutatedTensors(readFileSync(path), random),
    })),
    ...models.flatMap((folder): Seed[] => [
      inFolder('encoder', folder, 'config.json', mutatedJson),
      inFolder('encoder', folder, 'model.safetensors', mutatedTensors),
      { ...inFolder('tokenizer', folder, 'tokenizer.json', mutatedJson), weight: 6 },
      inFolder('tokenizer', folder, 'tokenizer_config.json', mutatedJson),
      inFolder('encoder', folder, 'tokenizer_config.json', mutatedJson),
    ]),
    {
      ...generated('tokenizer', 'tokenizer.json', () => JSON.stringify(unigram)),
      write: (random) => Buffer.from(mutateJson(unigram, random)),
      weight: 4,
    },
    textAt('vocabulary', goldenPath('bert-tiny-uncased/vocab.txt')),
    {
      ...inFolder('vocabulary', goldenPath('roberta-tiny'), 'vocab.json', mutatedJson),
      companions: [goldenPath('roberta-tiny/merges.txt')],
    },
    {
      ...inFolder('tokenizer', goldenPath('roberta-tiny'), 'merges.txt', (bytes, random) =>
        mutateText(bytes.toString(), random),
      ),
      companions: ['vocab.json', 'merges.txt'].map((name) => goldenPath('roberta-tiny', name)),
    },
    ...shippedConfigs().map((path): Seed => ({ ...textAt('config', path), weight: 2 })),
    { format: 'config', file: 'bomb.yaml', companions: [], write: (random) => mutateText(bombs.join('\n'), random) },
    {
      format: 'overrides',
      file: 'overrides.txt',
      companions: [],
      weight: 8,
      write: (random) => mutateText(draw(overrides, random, 4).join('\n'), random),
    },
    textAt('tsv', goldenPath('nemo/edge.tsv')),
    textAt('tsv', goldenPath('nemo/traj_train.tsv')),
    textAt('labels', goldenPath('nemo/label_ids.tsv')),
    { format: 'journal', file: 'mlflow.jsonl', companions: [], weight: 4, write: mutatedJournal },
    {
      format: 'response',
      file: 'response.json',
      companions: [],
      weight: 2,
      write: (random) => Buffer.from(mutateJson(response, random)),
    },
    { format: 'checkpoint', file: 'step.safetensors', companions: [], weight: 4, write: mutatedCheckpoint },
    ...[
      rawZip([dataFile]),
      rawTar(dataFiles),
      gzipSync(rawTar(dataFiles)),
      gzipSync(Buffer.from('text\t1\n'.repeat(50))),
    ].map((bytes, index): Seed => ({
      format: 'download',
      file: `data-${index}`,
      companions: [],
      weight: 2,
      write: (random) => mutatedDownload(bytes, random),
    })),
    {
      format: 'message',
      file: 'message.json',
      companions: [],
      weight: 6,
      write: (random) => Buffer.from(mutateJson(messages[random(messages.length)]!, random)),
    },
    // One without a character map, in which more of the changes hit the pieces, and one with it.
    ...['deberta-v2/spm.model', 'albert/spiece.model'].map((path): Seed => {
      const model = goldenPath('tokenizers', path);
      return {
        format: 'tokenizer',
        ...fileAt(model),
        weight: 3,
        write: (random) => mutate(readFileSync(model), random),
      };
    }),
    ...tables.map((content): Seed => ({
      format: 'table',
      file: 'train.csv',
      companions: [],
      weight: 2,
      write: (random) => (typeof content === 'string' ? mutateText(content, random) : mutate(content, random)),
    })),
  ];
}

const rowsOfTables = Array.from({ length: 20 }, (_, index) => ({ text: `a "good" film, ${index}`, label: index % 3 }));
const csv = rowsOfTables.map(({ text, label }) => `"${text.replaceAll('"', '""')}",${label}\n`).join('');

/** A table of each format. */
const tables: readonly (string | Buffer)[] = [
  `text,label\n${csv}`,
  rowsOfTables.map((row) => `${JSON.stringify(row)}\n`).join(''),
  JSON.stringify({ data: rowsOfTables }),
  JSON.stringify({ text: rowsOfTables.map(({ text }) => text), label: rowsOfTables.map(({ label }) => label) }),
  gzipSync(`text;label\n${csv.replaceAll(',', ';')}`),
  Buffer.from(
    parquetWriteBuffer({
      columnData: [
        { name: 'text', data: rowsOfTables.map(({ text }) => text), type: 'STRING' },
        { name: 'label', data: rowsOfTables.map(({ label }) => label), type: 'INT32' },
      ],
    }),
  ),
];

/** Writes a mutated copy of a seed, and its companions, into a folder of its own. Returns its path. */
export async function writeInput(seed: Seed, caseSeed: number, folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  for (const companion of seed.companions) copyFileSync(companion, join(folder, basename(companion)));
  const path = join(folder, seed.file);
  writeFileSync(path, await seed.write(randomFrom(caseSeed), path));
  return path;
}

const fileAt = (path: string) => ({ file: basename(path), companions: [] });

const textAt = (format: Format, path: string): Seed => ({
  format,
  ...fileAt(path),
  write: (random) =>
    random(4) === 0 ? mutate(readFileSync(path), random) : mutateText(readFileSync(path, 'utf8'), random),
});

const generated = (format: Format, file: string, content: () => string): Seed => ({
  format,
  file,
  companions: [],
  write: (random) => mutateText(content(), random),
});

function inFolder(
  format: Format,
  folder: string,
  file: string,
  change: (bytes: Buffer, random: Random) => Buffer,
): Seed {
  const path = join(folder, file);
  const others = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
  return {
    format,
    file,
    companions: others
      .filter((name) => name !== file && readdirSync(folder).includes(name))
      .map((name) => join(folder, name)),
    write: (random) => change(readFileSync(path), random),
  };
}

function mutatedJson(bytes: Buffer, random: Random): Buffer {
  if (random(10) === 0) return mutate(bytes, random);
  return Buffer.from(mutateJson(JSON.parse(bytes.toString()) as JsonValue, random));
}

/** Changes the header of a safetensors file as JSON, and any file as bytes. */
function mutatedTensors(bytes: Buffer, random: Random): Buffer {
  const length = bytes.length > 8 ? Number(bytes.readBigUInt64LE(0)) : 0;
  if (bytes[8] !== 0x7b || length > bytes.length || random(3) > 0) return mutate(bytes, random);
  const header = mutateJson(JSON.parse(bytes.toString('utf8', 8, 8 + length)) as JsonValue, random);
  return rawSafetensors(header, bytes.subarray(8 + length));
}

/** Changes one member of an archive by its own kind, or the archive as bytes. */
function mutatedArchive(original: Buffer, random: Random): Buffer {
  const isGzip = original[0] === 0x1f && original[1] === 0x8b;
  if (random(4) === 0)
    return isGzip && random(2) === 0 ? gzipSync(mutate(gunzipSync(original), random)) : mutate(original, random);
  const members = membersOf(isGzip ? gunzipSync(original) : original);
  const member = members[random(members.length)];
  if (member?.content) member.content = mutatedMember(member.name, member.content, random);
  if (random(20) === 0 && member) member.name = mutateText(member.name, random).toString().slice(0, 99);
  if (random(20) === 0) members.splice(random(members.length), 1);
  const changed = rawTar(members);
  return isGzip ? gzipSync(changed) : changed;
}

function mutatedMember(name: string, content: Buffer, random: Random): Buffer {
  if (name.endsWith('.ckpt')) return mutatedTensors(content, random);
  if (name.endsWith('.json') || content[0] === 0x7b) return mutatedJson(content, random);
  return mutateText(content.toString(), random);
}

/** An archive as Nautil writes it, whose digests are right, with a changed record or configuration. */
async function mutatedOwnArchive(random: Random, path: string): Promise<Buffer> {
  const tokenizer = await loadTokenizer({ folder: goldenPath('bert-tiny-uncased'), mode: 'nemo' });
  const record: JsonObject = {
    version: 1,
    tokenizer: JSON.parse(JSON.stringify(tokenizer.definition)) as JsonValue,
    lineage: { data: 'd' },
  };
  await copyArchive(goldenPath('nemo/tiny_bert.nemo'), path, ({ config, encoderConfig = {} }) => {
    const parts = { config, encoderConfig, record };
    const part = (['config', 'encoderConfig', 'record'] as const)[random(3)] ?? 'record';
    return { ...parts, [part]: changedObject(parts[part], random) };
  });
  return readFileSync(path);
}

/** Falls back to an empty object where the change leaves no object. */
function changedObject(value: JsonObject, random: Random): JsonObject {
  try {
    const changed = parseJson(mutateJson(value, random));
    return isJsonObject(changed) ? changed : {};
  } catch {
    return {};
  }
}

function membersOf(tar: Buffer): TarEntry[] {
  const members: TarEntry[] = [];
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0;) {
    const name = tar.toString('utf8', at, tar.indexOf(0, at));
    const size = Number.parseInt(tar.toString('latin1', at + 124, at + 135), 8);
    const type = String.fromCharCode(tar[at + 156] ?? 0);
    members.push({ name, type, content: Buffer.from(tar.subarray(at + 512, at + 512 + size)) });
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return members;
}

const records: JsonValue[] = [
  { type: 'journal', id: 'j' },
  { type: 'open', key: 'k', experiment: 'e', runName: 'r', timestampMs: 1, tags: { a: 'b' } },
  { type: 'params', params: { lr: '1e-4' } },
  {
    type: 'metrics',
    rows: [
      ['loss', 1, 1, 1],
      ['loss', 'NaN', 2, 2],
    ],
  },
  { type: 'tags', tags: { c: 'd' } },
  { type: 'text', path: 'a.txt', content: 'text' },
  { type: 'register', name: 'model', path: 'model.nemo' },
  { type: 'end', status: 'FINISHED', timestampMs: 3, message: 'm' },
];

function mutatedJournal(random: Random): Buffer {
  const lines = records.map((record, index) =>
    index > 0 && random(3) === 0 ? mutateJson(record, random) : JSON.stringify(record),
  );
  const text = `${lines.join('\n')}\n`;
  return random(4) === 0 ? mutateText(text, random) : Buffer.from(text);
}

/** A checkpoint whose digest is right, with other content than a program writes; or one that was damaged. */
async function mutatedCheckpoint(random: Random, path: string): Promise<Buffer> {
  const tensors = [{ name: 'weight', dtype: 'F32' as const, shape: [2, 3], data: new Float32Array(6) }];
  const progress = random(4) === 0 ? JSON.stringify(trainingState) : mutateJson(trainingState, random);
  const metadata = {
    format: 'nautil-checkpoint-2',
    progress,
    digests: random(8) === 0 ? mutateJson({}, random) : '{}',
  };
  await writeSealedSafetensors(path, tensors, metadata);
  const bytes = readFileSync(path);
  return random(3) === 0 ? mutatedTensors(bytes, random) : bytes;
}

const dataFile = { name: 'data/train.tsv', content: Buffer.from('sentence\tlabel\na text\t1\n'.repeat(30)) };
const dataFiles: TarEntry[] = [
  { name: 'data/', type: '5' },
  dataFile,
  { name: 'data/dev.tsv', content: Buffer.from('sentence\tlabel\nanother\t0\n') },
];

function mutatedDownload(bytes: Buffer, random: Random): Buffer {
  const isGzip = bytes[0] === 0x1f;
  return isGzip && random(2) === 0 ? gzipSync(mutate(gunzipSync(bytes), random)) : mutate(bytes, random);
}

/** A small tokenizer like XLM-R's, which the golden sets lack, with more kinds of steps. */
const unigram: JsonObject = {
  ...unigramJson([
    ['▁a', -1],
    ['a', -2],
    ['▁', -3],
  ]),
  normalizer: {
    type: 'Sequence',
    normalizers: [
      { type: 'NFKC' },
      { type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' },
      { type: 'Lowercase' },
    ],
  },
  pre_tokenizer: {
    type: 'Sequence',
    pretokenizers: [
      { type: 'WhitespaceSplit' },
      { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
      { type: 'Digits', individual_digits: true },
    ],
  },
};

const response: JsonValue = {
  experiment: { experiment_id: '1', lifecycle_stage: 'active' },
  run: {
    info: {
      run_id: 'r',
      experiment_id: '1',
      status: 'RUNNING',
      artifact_uri: 'mlflow-artifacts:/1',
      lifecycle_stage: 'active',
    },
  },
  runs: [
    {
      info: {
        run_id: 'r',
        experiment_id: '1',
        status: 'RUNNING',
        start_time: 1,
        artifact_uri: 'mlflow-artifacts:/1',
        lifecycle_stage: 'active',
      },
      data: {
        metrics: [{ key: 'loss', value: 1, timestamp: 1, step: 1 }],
        params: [{ key: 'a', value: 'b' }],
        tags: [{ key: 'c', value: 'd' }],
      },
    },
  ],
};

function shippedConfigs(): string[] {
  const conf = join(packageRoot(), 'conf');
  return readdirSync(conf)
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .map((name) => join(conf, name));
}

const bombs = [
  'a0: &a0 {x: 1, y: "${a1.z}"}',
  ...Array.from({ length: 6 }, (_, level) => `a${level + 1}: &a${level + 1} [*a${level}, *a${level}, {<<: *a0}]`),
  'b0: text',
  ...Array.from({ length: 6 }, (_, level) => `b${level + 1}: \${b${level}}\${b${level}}`),
];

const overrides = [
  'trainer.max_epochs=3',
  '+model.optim.betas=[0.9,0.98]',
  'model.optim.lr=1e-5',
  '++exp_manager.name="a name"',
  '~model.optim.sched',
  'model.nemo_path=${oc.env:HOME,none}/x.nemo',
  'model.class_labels={class_labels_file:null}',
  'model.dataset.class_balancing=weighted_loss',
  "model.infer_samples=['one, two', three]",
  'trainer.limit_train_batches=0.5',
  'nautil.data.relabel=true',
  'model.optim.lr=choice(1,2,range(1,3))',
  'data=sst2',
];

function draw(values: readonly string[], random: Random, count: number): string[] {
  return Array.from({ length: 1 + random(count) }, () => values[random(values.length)] ?? '');
}
