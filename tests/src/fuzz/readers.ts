import { mkdir, readFile, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Type } from '@sinclair/typebox';
import { loadConfig } from '@nautil/config';
import {
  jsonParser,
  parseConfigTree,
  parseEvaluations,
  parseJson,
  parseLoggedEvents,
  parseResolvedRun,
  parseSampleAnswers,
  validateFromTrainer,
  validateToTrainer,
  validateTrainHeartbeat,
  validateTrainingResult,
} from '@nautil/contracts/schemas';
import { inspectTsv, readExamples, readLabelNames, readLines } from '@nautil/datasets';
import { inspectTables } from '@nautil/datasets/tables';
import { openTensors, type TensorSource } from '@nautil/formats';
import { findEncoder, listEncoderFiles, openEncoder } from '@nautil/formats/encoder';
import { verifyNemo } from '@nautil/formats/nemo';
import { findJournals, getExperimentByName, getRun, MlflowClient, searchRuns, syncJournal } from '@nautil/mlflow';
import { encoderLayout } from '@nautil/model';
import { unpackArchive } from '@nautil/store/download';
import { goldenPath } from '@nautil/testing/golden-set';
import { loadTokenizer, type Tokenizer } from '@nautil/tokenization';
import { archiveTokenizer, Classifier } from '@nautil/training';
import { readLatestCheckpoint } from '@nautil/training/testing/read-latest-checkpoint';
import { mlflowResponse } from './mlflow-response.js';

/** Reads a file as the commands do that take it, through the same public functions, and to the end. */
export type Reader = (path: string) => Promise<void>;

/** What the tokenizers are given: words, an unknown word, special tokens, runs of one letter, and other scripts. */
const texts = ['a gorgeous, witty, seductive movie', `${'a'.repeat(40)} [MASK] <mask>`, '电影 ὈΔΥΣΣΕΎΣ 😀 é', ''];

/** The readers by the kind of file. */
export const readers = {
  archive: async (path) => {
    await verifyNemo(path, { layout: encoderLayout, tokenizer: archiveTokenizer });
  },

  classifier: async (path) => {
    const classifier = await Classifier.open(path, { engine: 'auto' });
    try {
      await classifier.predict(texts);
    } finally {
      classifier.close();
    }
  },

  tensors: async (path) => {
    const source = await openTensors(path);
    await readTensors(source).finally(() => source.close());
  },

  /** The folder of the file is a model. */
  encoder: async (path) => {
    const folder = await findEncoder(dirname(path));
    await listEncoderFiles({ name: folder, path: folder, tokenizerFolder: folder });
    const encoder = await openEncoder({ path: folder, layout: encoderLayout });
    await readTensors(encoder.tensors).finally(() => encoder.close());
  },

  /** The folder of the file is a model. */
  tokenizer: async (path) => {
    for (const mode of ['standard', 'nemo'] as const) {
      const tokenizer: Tokenizer = await loadTokenizer({ folder: dirname(path), mode });
      for (const text of texts) tokenizer.encode(text, 64);
    }
  },

  vocabulary: async (path) => {
    const tokenizer = await loadTokenizer({ vocabFile: path, mode: 'nemo' });
    for (const text of texts) tokenizer.encode(text, 64);
  },

  config: async (path) => {
    await loadConfig({ configPath: dirname(path), configName: basename(path), env: {} });
  },

  /** Each line of the file is an override. */
  overrides: async (path) => {
    await loadConfig({ overrides: (await readFile(path, 'utf8')).split('\n').filter((line) => line !== ''), env: {} });
  },

  tsv: async (path) => {
    await inspectTsv(path);
    for await (const example of readExamples(path)) if ('text' in example && example.line < 0) return;
  },

  /** The texts of `predict`, one a line, with a tokenizer of each kind. */
  texts: async (path) => {
    for (const model of ['bert-tiny-uncased', 'roberta-tiny']) {
      for (const mode of ['standard', 'nemo'] as const) {
        const tokenizer = await loadTokenizer({ folder: goldenPath(model), mode });
        for await (const lines of readLines(path, { lineEnds: 'newline' })) {
          for (const line of lines) tokenizer.encode(line, 64);
        }
      }
    }
  },

  table: async (path) => {
    await inspectTables({ paths: { train: [path] } });
  },

  labels: async (path) => {
    await readLabelNames(path);
  },

  journal: async (path) => {
    await rm(`${path}.sent`, { force: true });
    await findJournals(dirname(path));
    const client = new MlflowClient({
      trackingUri: 'http://127.0.0.1:9',
      attempts: 1,
      fetch: (input) => Promise.resolve(mlflowResponse(new URL(input as URL))),
    });
    await syncJournal(path, client, { warn: () => undefined });
  },

  /** The body of every response of a server that is taken for MLflow. */
  response: async (path) => {
    const client = new MlflowClient({
      trackingUri: 'http://127.0.0.1:9',
      attempts: 1,
      fetch: async () => new Response(await readFile(path)),
    });
    // Each is called, whatever becomes of the other.
    const outcomes = await Promise.allSettled([
      getExperimentByName(client, 'experiment'),
      getRun(client, 'run'),
      searchRuns(client, { experimentIds: ['1'], limit: 1 }),
    ]);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  },

  /** A server that is taken for MLflow; the file has its address. */
  server: async (path) => {
    const client = new MlflowClient({ trackingUri: await readFile(path, 'utf8'), attempts: 1 });
    await searchRuns(client, { experimentIds: ['1'] });
  },

  /** The newest checkpoint of a training. */
  checkpoint: async (path) => {
    const folder = join(dirname(path), 'training');
    await rm(folder, { recursive: true, force: true });
    await mkdir(join(folder, 'checkpoints'), { recursive: true });
    await readLatestCheckpoint(folder, path);
  },

  /** A zip, tar or gzip file of a data set. */
  download: async (path) => {
    const to = join(dirname(path), 'unpacked');
    await rm(to, { recursive: true, force: true });
    await unpackArchive({ archive: path, to });
  },

  /** A file of a run's folder, or a message between its processes: `{"kind": …, "value": …}`. */
  message: async (path) => {
    const { kind, value } = parseMessage(await readFile(path, 'utf8'), path);
    if (Object.hasOwn(messageParsers, kind))
      messageParsers[kind as keyof typeof messageParsers](JSON.stringify(value ?? null));
  },
} satisfies Record<string, Reader>;

export type Format = keyof typeof readers;

const parseMessage = jsonParser(Type.Object({ kind: Type.String(), value: Type.Optional(Type.Unknown()) }));

const messageParsers = {
  config: (text: string) => parseConfigTree(text, 'config.json'),
  run: (text: string) => parseResolvedRun(text, 'run.json'),
  events: (text: string) => parseLoggedEvents(text, 'events.jsonl'),
  evaluations: (text: string) => parseEvaluations(text, 'evaluations.jsonl'),
  answers: (text: string) => parseSampleAnswers(text, 'answers.json'),
  fromTrainer: (text: string) => validateFromTrainer(parseJson(text), 'a message'),
  toTrainer: (text: string) => validateToTrainer(parseJson(text), 'a message'),
  heartbeat: (text: string) => validateTrainHeartbeat(parseJson(text), 'a heartbeat'),
  result: (text: string) => validateTrainingResult(parseJson(text), 'a result'),
};

async function readTensors(source: TensorSource): Promise<void> {
  for (const name of source.names()) await source.read(name);
}
