import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import { ActivityCancellationDetails } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { type Header, pack } from 'tar-stream';
import type { LabelledData, ResolvedRun, Source, StageResult } from '@nautil/contracts';
import { sha256Of } from '@nautil/store';
import { nautilHome } from '@nautil/store/folders';
import { startFileServer } from '@nautil/store/testing/file-server';
import { type HubContent, startHubServer } from '@nautil/store/testing/hub-server';
import { createActivities } from '../create-activities.js';
import { OutputRoots } from '../output-roots.js';
import { dependenciesOfOneWorker } from '../testing/dependencies-of-one-worker.js';
import { cache } from './cache.js';
import { convert } from './convert.js';
import { download } from './download.js';
import { resolveRun } from './resolve-run.js';

const folder = mkdtempSync(join(tmpdir(), 'nautil-download-'));
const environment = ['HF_ENDPOINT', 'HF_HOME', 'HF_HUB_CACHE', 'HF_HUB_OFFLINE', 'HF_TOKEN', 'NAUTIL_HOME'] as const;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let homes = 0;
let home: string;
beforeEach(() => {
  home = join(folder, `home-${(homes += 1)}`);
  for (const name of environment) delete process.env[name];
  process.env['NAUTIL_HOME'] = join(home, 'nautil');
  process.env['HF_HOME'] = join(home, 'huggingface');
  process.env['HF_HUB_OFFLINE'] = '1'; // but for those that start a hub
});

const bert = JSON.stringify({ model_type: 'bert', hidden_size: 8, num_attention_heads: 2 });
const vocabulary = '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nfine\nbad\n';

/** Writes files below a new folder. */
function filesIn(name: string, files: Record<string, string>): string {
  const root = join(home, name);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

/** An encoder of this disk, for runs that are about data. */
const localEncoder = (): string =>
  `model.language_model.pretrained_model_name=${filesIn('encoder', { 'config.json': bert, 'model.safetensors': 'w', 'vocab.txt': vocabulary })}`;

let runs = 0;
const runOf = (overrides: string[], runKey = `run-${(runs += 1)}`): Promise<ResolvedRun> => {
  mkdirSync(home, { recursive: true });
  return resolveRun({ workflowId: 'download-test', runKey, taskQueue: 'none', overrides }, { cwd: home });
};

async function downloadAndConvert(
  overrides: string[],
): Promise<{ source: StageResult<Source>; data: StageResult<LabelledData> }> {
  const run = await runOf(overrides);
  const source = await download({ run });
  return { source, data: await convert({ run, source }) };
}

async function tarGz(files: Record<string, string>, extra: Partial<Header>[] = []): Promise<Buffer> {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) archive.entry({ name }, content);
  for (const header of extra) archive.entry({ name: 'x', ...header }, header.linkname ? '' : 'x');
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks));
}

const serve = async (name: string, content: Buffer, faults: Partial<Parameters<typeof startFileServer>[0]> = {}) => {
  const server = await startFileServer({ content, ...faults });
  return { ...server, url: server.url.replace(/file$/, name) };
};

const errorOf = async (promise: Promise<unknown>) => {
  const thrown: unknown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(Error);
  return thrown as Error & { hint?: string };
};

const reviews = {
  'aclImdb/README': 'about',
  'aclImdb/train/neg/0_2.txt': 'bad',
  'aclImdb/train/pos/0_9.txt': 'fine<br />film',
  'aclImdb/test/pos/0_8.txt': 'fine',
  'aclImdb/test/neg/0_1.txt': 'worse',
};
const tsv = 'fine\t1\nbad\t0\n';

describe('data', () => {
  test('an archive at an HTTP URL is downloaded, resumed, unpacked and converted, each once', async () => {
    const content = await tarGz(reviews);
    const server = await serve('aclImdb_v1.tar.gz', content, {
      cutAfter: (answer) => (answer === 1 ? 100 : undefined), // the first asks for the version
    });
    const overrides = ['data=imdb', localEncoder(), `nautil.data.source=${server.url}`];
    const { source, data } = await downloadAndConvert(overrides);
    expect(source.reused).toBe(false);
    expect(source.detail).toContain('/unpack/');
    expect(readFileSync(data.train.path, 'utf8')).toBe('bad\t0\nfine film\t1\n');
    expect(data.examples).toEqual({ train: 2, test: 2 });
    expect(readFileSync(data.labels!.path, 'utf8')).toBe('negative\npositive\n');
    expect(server.requests[2]?.range).toBe('bytes=100-');

    const again = await downloadAndConvert(overrides);
    expect(again.source.reused).toBe(true);
    expect(again.data).toMatchObject({ reused: true, digest: data.digest });
    expect(server.requests).toHaveLength(4); // it asked for the version only
  });

  test('with a checksum, the server gets one request in total, and different content is rejected', async () => {
    const content = await tarGz(reviews);
    const server = await serve('reviews.tgz', content);
    const overrides = ['data=imdb', localEncoder(), `nautil.data.source=${server.url}`];
    const digest = `nautil.data.sha256=${sha256Of(content)}`;
    await downloadAndConvert([...overrides, digest]);
    await downloadAndConvert([...overrides, digest]);
    expect(server.requests).toHaveLength(1);
    const error = await errorOf(downloadAndConvert([...overrides, `nautil.data.sha256=${sha256Of('other')}`]));
    expect(error).toMatchObject({ name: 'ChecksumMismatch', kind: 'data' });
  });

  test('a file at an HTTP URL is downloaded again if the server has another version', async () => {
    const behaviour = { content: Buffer.from(tsv), etag: '"1"' };
    const server = await startFileServer(behaviour);
    const url = server.url.replace(/file$/, 'train.tsv');
    const overrides = [localEncoder(), `nautil.data.source=${url}`];
    const first = await downloadAndConvert(overrides);
    expect(readFileSync(first.data.train.path, 'utf8')).toBe(tsv);
    expect((await downloadAndConvert(overrides)).source.reused).toBe(true);
    Object.assign(behaviour, { content: Buffer.from(`${tsv}so so\t0\n`), etag: '"2"' });
    const second = await downloadAndConvert(overrides);
    expect(second.source.reused).toBe(false);
    expect(second.data.examples.train).toBe(3);
  });

  test('without version headers, a file is downloaded once per run', async () => {
    const server = await serve('train.tsv', Buffer.from(tsv), { etag: null });
    const run = await runOf([localEncoder(), `nautil.data.source=${server.url}`]);
    await download({ run });
    expect((await download({ run })).reused).toBe(true);
    expect(server.requests).toHaveLength(3);
    expect((await download({ run: { ...run, runKey: 'other' } })).reused).toBe(false);
  });

  test('files of model.*_ds may be HTTP URLs, and take precedence over those of the source', async () => {
    const server = await serve('dev.tsv', Buffer.from('so so\t0\n'));
    const source = filesIn('data', { 'train.tsv': tsv, 'dev.tsv': tsv, 'test.tsv': tsv, 'label_ids.tsv': 'no\nyes\n' });
    const { data } = await downloadAndConvert([
      localEncoder(),
      `nautil.data.source=${source}`,
      `model.validation_ds.file_path=${server.url}`,
    ]);
    expect(data.examples).toEqual({ train: 2, validation: 1, test: 2 });
    expect(data.labels?.path).toBe(join(source, 'label_ids.tsv'));
  });

  test('a local archive is unpacked, wherever the files are inside', async () => {
    const archive = join(filesIn('archive', { 'readme.md': 'x' }), 'data.bin');
    writeFileSync(archive, await tarGz({ 'repo-main/data/train.tsv': tsv, 'repo-main/data/validation.tsv': tsv }));
    const { data } = await downloadAndConvert([localEncoder(), `nautil.data.source=${archive}`]);
    expect(data.examples).toEqual({ train: 2, validation: 2 });
    const digest = `nautil.data.sha256=${sha256Of('other')}`;
    const error = await errorOf(downloadAndConvert([localEncoder(), `nautil.data.source=${archive}`, digest]));
    expect(error.name).toBe('ChecksumMismatch');
  });

  test('a gzipped TSV is a training set', async () => {
    const server = await serve('reviews.tsv.gz', gzipSync(tsv));
    const { data } = await downloadAndConvert([localEncoder(), `nautil.data.source=${server.url}`]);
    expect(readFileSync(data.train.path, 'utf8')).toBe(tsv);
  });

  test.each([
    ['that is cut off', async () => (await tarGz(reviews)).subarray(0, 150), /cannot be unpacked/],
    ['that would write outside', () => tarGz(reviews, [{ name: '../../escaped.txt' }]), /would be written outside/],
    ['with a link', () => tarGz(reviews, [{ name: 'l', type: 'symlink', linkname: '/etc' }]), /only files and folders/],
    ['that is a page of HTML', () => Promise.resolve(Buffer.from('<html>')), /is not a tar, zip or gzip file/],
  ])('an archive %s is rejected, and none of its files remain', async (_, content, message) => {
    const server = await serve('reviews.tar.gz', await content());
    const error = await errorOf(downloadAndConvert(['data=imdb', localEncoder(), `nautil.data.source=${server.url}`]));
    expect(error).toMatchObject({ name: 'BadArchive', message: expect.stringMatching(message) });
    const left = readdirSync(join(home, 'nautil'), { recursive: true }).map(String);
    expect(left.filter((path) => /content|escaped|aclImdb\//.test(path))).toEqual([]);
  });

  test.each([
    ['a missing file', 404, 'check the address'],
    ['a file that requires a login', 401, 'the server requires a login'],
  ])('the error for %s has the status and a hint', async (_, status, hint) => {
    const server = await serve('train.tsv', Buffer.from(tsv), { status: () => status });
    const error = await errorOf(downloadAndConvert([localEncoder(), `nautil.data.source=${server.url}`]));
    expect(error.message).toContain(`${server.url}: the server answered ${status}`);
    expect(error.hint).toContain(hint);
    expect(server.requests).toHaveLength(1);
  });

  test('the error for a source without a data set lists what the source contains', async () => {
    const source = filesIn('texts', { 'train.docx': 'x' });
    const error = await errorOf(downloadAndConvert([localEncoder(), `nautil.data.source=${source}`]));
    expect(error.message).toContain('has no training data');
    expect(error.hint).toContain('found: train.docx');
    const file = join(source, 'train.docx');
    const single = await errorOf(downloadAndConvert(['data=imdb', localEncoder(), `nautil.data.source=${file}`]));
    expect(single.message).toContain('is a single file, and imdb comes as a folder or an archive');
    const missing = await errorOf(downloadAndConvert([localEncoder(), 'nautil.data.source=./nowhere']));
    expect(missing.message).toContain(`${join(home, 'nowhere')} does not exist`);
  });

  test('progress is reported', async () => {
    const server = await serve('train.tsv', Buffer.from(tsv));
    const seen: string[] = [];
    const run = await runOf([localEncoder(), `nautil.data.source=${server.url}`]);
    await download({ run }, { onProgress: (detail) => seen.push(detail) });
    expect(seen.at(-1)).toBe(`train.tsv: ${tsv.length} bytes of ${tsv.length} bytes`);
  });

  test('aborting the signal ends the download', async () => {
    const server = await serve('train.tsv', Buffer.from(tsv), { hangAfter: () => 4 });
    const run = await runOf([localEncoder(), `nautil.data.source=${server.url}`]);
    const controller = new AbortController();
    const stopped = download(
      { run },
      { signal: controller.signal, onProgress: () => controller.abort(new Error('stop')) },
    );
    await expect(stopped).rejects.toThrow('stop');
  });
});

test.each([
  ['cancelled', undefined, CancelledFailure, /CANCELLED/],
  ['on a worker that shuts down', 'WORKER_SHUTDOWN', ApplicationFailure, /retried on another worker/],
] as const)('the activity heartbeats with how far a download is, and %s it ends', async (_, reason, type, message) => {
  const server = await serve('train.tsv', Buffer.from(tsv), { hangAfter: (answer) => (answer === 1 ? 4 : undefined) });
  const run = await runOf([localEncoder(), `nautil.data.source=${server.url}`]);
  const activities = createActivities(dependenciesOfOneWorker({ outputs: new OutputRoots([home], nautilHome()) }));
  const activityEnvironment = new MockActivityEnvironment();
  const details = reason && new ActivityCancellationDetails({ workerShutdown: true });
  activityEnvironment.on('heartbeat', (detail: unknown) => {
    if (detail === `train.tsv: 4 bytes of ${tsv.length} bytes`) activityEnvironment.cancel(reason, details);
  });
  const error = await errorOf(activityEnvironment.run(activities.download, { run }));
  expect(error).toBeInstanceOf(type);
  expect(error.message).toMatch(message);
  const { data } = await new MockActivityEnvironment().run<[{ run: ResolvedRun }], Source, typeof activities.download>(
    activities.download,
    { run },
  );
  expect(readFileSync(data.train!, 'utf8')).toBe(tsv);
  expect(server.requests.at(-1)?.range).toBe('bytes=4-');
});

async function startHub(content: HubContent) {
  const hub = await startHubServer(content);
  process.env['HF_ENDPOINT'] = hub.url;
  delete process.env['HF_HUB_OFFLINE'];
  return hub;
}

describe('data of the hub', () => {
  test('the files in the layout are downloaded and converted; without the hub they are reused', async () => {
    const hub = await startHub({
      repositories: {
        'datasets/org/sst2': {
          'data/train.tsv': `sentence\tlabel\n${tsv}`,
          'data/dev.tsv': `sentence\tlabel\n${tsv}`,
          'big.parquet': 'x',
        },
      },
    });
    const overrides = ['data=sst-2', localEncoder(), 'nautil.data.source=org/sst2'];
    const { source, data } = await downloadAndConvert(overrides);
    expect(source.data.folder).toContain(join('datasets--org--sst2', 'snapshots'));
    expect(data.examples).toEqual({ train: 2, validation: 2 });
    expect(hub.requests.some(({ path }) => path.includes('parquet/') || path.endsWith('.parquet'))).toBe(false);

    hub.stop();
    const again = await downloadAndConvert(overrides);
    expect(again.source.reused).toBe(true);
    expect(again.data).toMatchObject({ reused: true, digest: data.digest });
    process.env['HF_HUB_OFFLINE'] = '1';
    expect((await downloadAndConvert(overrides)).data.digest).toBe(data.digest);
  });

  test('a new commit of a data set is converted again', async () => {
    const repository = { 'train.tsv': tsv };
    const overrides = ['data=sst-2', localEncoder(), 'nautil.data.source=org/sst2'];
    await startHub({ repositories: { 'datasets/org/sst2': repository } });
    const first = await downloadAndConvert(overrides);
    await startHub({ repositories: { 'datasets/org/sst2': { 'train.tsv': tsv.toUpperCase() } } });
    const second = await downloadAndConvert(overrides);
    expect(second.data.digest).not.toBe(first.data.digest);
    expect(readFileSync(second.data.train.path, 'utf8')).toBe('FINE\t1\nBAD\t0\n');
  });

  test('a repository that holds one archive is unpacked, and NeMo files have no converter', async () => {
    await startHub({
      repositories: {
        'datasets/org/imdb': { 'README.md': 'x', 'aclImdb_v1.tar.gz': await tarGz(reviews) },
        'datasets/org/nemo': { 'train.tsv': tsv, 'test.tsv': tsv, 'label_ids.tsv': 'no\nyes\n' },
      },
    });
    const imdb = await downloadAndConvert(['data=imdb', localEncoder(), 'nautil.data.source=org/imdb']);
    expect(imdb.data.examples).toEqual({ train: 2, test: 2 });
    const nemo = await downloadAndConvert([localEncoder(), 'nautil.data.source=org/nemo']);
    expect(nemo.data.examples).toEqual({ train: 2, test: 2 });
    expect(nemo.data.labels?.path).toMatch(/label_ids\.tsv$/);
  });

  test('the tables of a data set are found by their splits, and those of one subset are fetched alone', async () => {
    const rows = (...texts: string[]) => texts.map((text, i) => `${JSON.stringify({ text, label: i % 2 })}\n`).join('');
    const hub = await startHub({
      repositories: {
        'datasets/org/tables': {
          'README.md': 'x',
          'data/train-00000-of-00002.jsonl': rows('a b', 'c d'),
          'data/train-00001-of-00002.jsonl': rows('e f', 'g h'),
          'data/validation-00000-of-00001.jsonl': rows('i j', 'k l'),
        },
        'datasets/org/subsets': { 'one/train.csv': 'text,label\na b,x\nc d,y\n', 'two/train.csv': 'text,label\n' },
      },
    });
    const tables = await downloadAndConvert([localEncoder(), 'nautil.data.source=org/tables']);
    expect(tables.data.examples).toEqual({ train: 4, validation: 2 });
    expect(readFileSync(tables.data.train.path, 'utf8')).toBe('a b\t0\nc d\t1\ne f\t0\ng h\t1\n');
    const several = await errorOf(downloadAndConvert([localEncoder(), 'nautil.data.source=org/subsets']));
    expect(several).toMatchObject({
      message: 'org/subsets on the hub has more than one data set: one, two',
      hint: 'choose one: nautil.data.subset=one',
    });
    const one = await downloadAndConvert([
      localEncoder(),
      'nautil.data.source=org/subsets',
      'nautil.data.subset=one',
      'nautil.data.validation_fraction=0',
    ]);
    expect(readFileSync(one.data.labels!.path, 'utf8')).toBe('x\ny\n');
    expect(hub.requests.some(({ path }) => path.endsWith('two/train.csv'))).toBe(false);
  });

  test('the errors for a wrong layout, an unknown data set and an unreachable hub explain the cause', async () => {
    const hub = await startHub({ repositories: { 'datasets/org/arrow': { 'train.arrow': 'x' } } });
    const arrow = await errorOf(downloadAndConvert([localEncoder(), 'nautil.data.source=org/arrow']));
    expect(arrow.message).toBe('org/arrow on the hub has no tables and no TSV files of NeMo');
    expect(arrow.hint).toContain('found: train.arrow');
    const absent = await errorOf(downloadAndConvert([localEncoder(), 'nautil.data.source=org/absent']));
    expect(absent.message).toBe(
      `nautil.data.source: org/absent is not on this machine, and the hub at ${hub.url} has no dataset org/absent, or does not show it (401)`,
    );
    hub.stop();
    const gone = await errorOf(downloadAndConvert([localEncoder(), 'nautil.data.source=org/gone']));
    expect(gone.message).toContain(`the hub at ${hub.url} cannot be reached`);
    expect(gone.hint).toContain('datasets--org--gone');
  });
});

describe('encoder', () => {
  const model = { 'config.json': bert, 'vocab.txt': vocabulary, 'tokenizer_config.json': '{}', 'README.md': 'x' };
  const whole = {
    ...model,
    'model.safetensors': Buffer.alloc(5000, 'w'),
    'pytorch_model.bin': 'w',
    'tf_model.h5': 'w',
  };
  const data = () => `model.train_ds.file_path=${join(filesIn('tsv', { 'train.tsv': tsv }), 'train.tsv')}`;
  const named = (name: string) => `model.language_model.pretrained_model_name=${name}`;
  const encoderOf = async (overrides: string[]) => {
    const run = await runOf([data(), ...overrides]);
    const source = await download({ run });
    return { run, source, encoder: source.encoder };
  };

  test('a model of the hub is fetched with the files that are read, and without the hub it is used again', async () => {
    const hub = await startHub({
      repositories: { 'models/org/bert': whole },
      cutAfter: (answer, path) => (path.endsWith('.safetensors') && answer < 5 ? 1000 : undefined),
    });
    const { run, source, encoder } = await encoderOf([named('org/bert')]);
    expect(source.reused).toBe(false);
    expect(encoder.path).toBe(encoder.tokenizerFolder);
    const files = ['config.json', 'model.safetensors', 'tokenizer_config.json', 'vocab.txt'];
    expect(readdirSync(encoder.path!).sort()).toEqual(files);
    expect(hub.requests.some(({ range }) => range !== undefined)).toBe(true);
    const kept = await cache({ run, source, data: await convert({ run, source }) });

    hub.stop();
    const again = await encoderOf([named('org/bert')]);
    expect(again.encoder).toEqual(encoder);
    expect(again.source.reused).toBe(true);
    // The digest is of the files' content, which in the cache are links.
    const copy = filesIn(
      'copy',
      Object.fromEntries(files.map((name) => [name, readFileSync(join(encoder.path!, name), 'utf8')])),
    );
    const local = await encoderOf([named(copy)]);
    const keptLocal = await cache({ ...local, data: await convert(local) });
    expect(keptLocal.encoderDigest).toBe(kept.encoderDigest);
    writeFileSync(join(copy, 'model.safetensors'), 'other');
    expect((await cache({ ...local, data: await convert(local) })).encoderDigest).not.toBe(kept.encoderDigest);
  });

  test('shards are fetched with their index, and each counts for the digest', async () => {
    const index = JSON.stringify({
      weight_map: { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' },
    });
    const shards = { 'model-00001-of-00002.safetensors': '1', 'model-00002-of-00002.safetensors': '2' };
    await startHub({
      repositories: {
        'models/org/large': { ...model, 'model.safetensors.index.json': index, ...shards, 'pytorch_model.bin': 'w' },
      },
    });
    const { run, source, encoder } = await encoderOf([named('org/large')]);
    expect(readdirSync(encoder.path!)).toEqual(expect.arrayContaining(Object.keys(shards)));
    expect(readdirSync(encoder.path!)).not.toContain('pytorch_model.bin');
    const converted = await convert({ run, source });
    const { encoderDigest } = await cache({ run, source, data: converted });
    const shard = join(encoder.path!, 'model-00002-of-00002.safetensors');
    rmSync(shard);
    writeFileSync(shard, '3');
    expect((await cache({ run, source, data: converted })).encoderDigest).not.toBe(encoderDigest);
  });

  test('a snapshot of the cache that lacks the weights is completed', async () => {
    await startHub({ repositories: { 'models/org/bert': whole } });
    const random = ['model.language_model.config_file=config.json', 'model.tokenizer.tokenizer_name=org/bert'];
    filesIn('.', { 'config.json': bert });
    const { encoder } = await encoderOf(random);
    expect(encoder.path).toBeUndefined();
    expect(readdirSync(encoder.tokenizerFolder!)).toEqual(['tokenizer_config.json', 'vocab.txt']);
    expect(readdirSync((await encoderOf([named('org/bert')])).encoder.path!)).toContain('model.safetensors');
  });

  test.each(['xlnet', 'gpt2', 't5'])('%s is refused by name before its weights are fetched', async (type) => {
    const config = JSON.stringify({ model_type: type });
    const hub = await startHub({ repositories: { 'models/org/other': { ...whole, 'config.json': config } } });
    const error = await errorOf(encoderOf([named('org/other')]));
    expect(error).toMatchObject({
      name: 'UnsupportedEncoder',
      message: expect.stringContaining(`"${type}"`),
    });
    expect(error.hint).toContain('bert, roberta, camembert, xlm-roberta, distilbert, megatron-bert');
    expect(hub.requests.some(({ path }) => path.includes('safetensors'))).toBe(false);
    const here = filesIn('other', { 'config.json': config, 'model.safetensors': 'w', 'vocab.txt': vocabulary });
    expect((await errorOf(encoderOf([named(here)]))).name).toBe('UnsupportedEncoder');
    const given = [
      `model.language_model.config_file=${join(here, 'config.json')}`,
      `model.tokenizer.vocab_file=${join(here, 'vocab.txt')}`,
    ];
    expect((await errorOf(encoderOf(given))).name).toBe('UnsupportedEncoder');
  });

  test.each(['camembert', 'xlm-roberta'])("%s goes through RoBERTa's code", async (type) => {
    const config = JSON.stringify({ model_type: type, hidden_size: 8, num_attention_heads: 2 });
    await startHub({
      repositories: {
        [`models/org/${type}`]: { 'config.json': config, 'tokenizer.json': '{}', 'pytorch_model.bin': 'w' },
      },
    });
    const { encoder } = await encoderOf([named(`org/${type}`)]);
    expect(readdirSync(encoder.path!).sort()).toEqual(['config.json', 'pytorch_model.bin', 'tokenizer.json']);
  });

  test('without a network, the error lists the searched places and a remedy', async () => {
    const hub = await startHub({ repositories: {} });
    const absent = await errorOf(encoderOf([named('org/bert')]));
    expect(absent).toMatchObject({ name: 'ModelNotFound', kind: 'data' });
    expect(absent.message).toContain(`the hub at ${hub.url} has no model org/bert`);
    hub.stop();
    const gone = await errorOf(encoderOf([named('org/bert')]));
    expect(gone.message).toContain(
      `model.language_model.pretrained_model_name: org/bert is not on this machine, and the hub at ${hub.url} cannot be reached`,
    );
    expect(gone.hint).toContain(join(home, 'nautil', 'models', 'org/bert'));
    expect(gone.hint).toContain(join(home, 'huggingface', 'hub', 'models--org--bert'));
    expect(gone.hint).toContain('HTTPS_PROXY');
    expect(gone.hint).toContain('set model.language_model.pretrained_model_name to a model on this machine');
    process.env['HF_HUB_OFFLINE'] = '1';
    expect((await errorOf(encoderOf([named('org/bert')]))).message).toContain('HF_HUB_OFFLINE is set');
  });

  test.each([
    ['no tokenizer', { 'config.json': bert, 'model.safetensors': 'w' }, 'it has no tokenizer'],
    ['no weights', { 'config.json': bert, 'vocab.txt': vocabulary }, 'there are no weights'],
  ])('without a network, a model in the cache with %s: the error names what it lacks', async (_, files, lacking) => {
    const cached = 'huggingface/hub/models--org--bert';
    filesIn(cached, { 'refs/main': 'abc' });
    filesIn(`${cached}/snapshots/abc`, files);
    const error = await errorOf(encoderOf([named('org/bert')]));
    expect(error.hint).toContain('the cache has only a part of it');
    expect(error.hint).toContain(lacking);
  });

  test("a name that NeMo resolves through NGC needs lm_checkpoint, and gets BERT's vocabulary", async () => {
    const hub = await startHub({ repositories: { 'models/bert-large-uncased': model } });
    const name = named('megatron-bert-345m-uncased');
    const error = await errorOf(encoderOf([name]));
    expect(error.name).toBe('ModelNotFound');
    expect(error.hint).toContain(
      'download release/mp_rank_00/model_optim_rng.pt of the NGC model nvidia/megatron_bert_345m',
    );
    expect(hub.requests).toEqual([]);
    const checkpoint = await serve('model_optim_rng.pt', Buffer.from('weights'));
    const { encoder } = await encoderOf([name, `model.language_model.lm_checkpoint=${checkpoint.url}`]);
    expect(encoder.path).toBeUndefined();
    expect(readFileSync(encoder.lmCheckpoint!, 'utf8')).toBe('weights');
    expect(encoder.lmCheckpoint).toMatch(/model_optim_rng\.pt$/);
    expect(encoder.tokenizerFolder).toContain('models--bert-large-uncased');
  });

  test("lm_checkpoint needs the model's configuration alone, and must be there", async () => {
    await startHub({ repositories: { 'models/org/bert': whole } });
    const weights = join(filesIn('weights', { 'weights.bin': 'w' }), 'weights.bin');
    const { encoder } = await encoderOf([named('org/bert'), `model.language_model.lm_checkpoint=${weights}`]);
    expect(readdirSync(encoder.path!).sort()).toEqual(['config.json', 'tokenizer_config.json', 'vocab.txt']);
    const trained = filesIn('trained', { 'config.json': bert, 'pytorch_model.bin': 'w', 'vocab.txt': vocabulary });
    const alone = await encoderOf([named('org/nowhere'), `model.language_model.lm_checkpoint=${trained}`]);
    expect(alone.encoder).toEqual({ name: 'org/nowhere', lmCheckpoint: trained, tokenizerFolder: trained });
    const missing = await errorOf(encoderOf([named('org/bert'), `model.language_model.lm_checkpoint=${weights}x`]));
    expect(missing.message).toBe(`model.language_model.lm_checkpoint: there is no ${weights}x`);
  });

  test('random weights by config_file need no model when the vocabulary is given', async () => {
    const files = filesIn('random', { 'config.json': bert, 'vocab.txt': vocabulary });
    const overrides = [
      `model.language_model.config_file=${join(files, 'config.json')}`,
      `model.tokenizer.vocab_file=${join(files, 'vocab.txt')}`,
    ];
    const { encoder } = await encoderOf([named('org/nowhere'), ...overrides]);
    expect(encoder).toEqual({
      name: 'org/nowhere',
      configFile: join(files, 'config.json'),
      vocabFile: join(files, 'vocab.txt'),
    });
    writeFileSync(join(files, 'broken.json'), '{');
    const broken = [`model.language_model.config_file=${join(files, 'broken.json')}`, overrides[1]!];
    expect((await errorOf(encoderOf(broken))).message).toContain(`${join(files, 'broken.json')}: is not JSON`);
    const dict = 'model.language_model.config={model_type: bert, hidden_size: 8, num_attention_heads: 2}';
    expect((await encoderOf([named('org/nowhere'), dict, overrides[1]!])).encoder.path).toBeUndefined();
  });
});
