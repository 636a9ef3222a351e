import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Config, loadConfig } from '@nautil/config';
import { packageRoot } from '@nautil/store/folders';
import { goldenPath, readGoldenJson } from '@nautil/testing';

// A tiny BERT takes the place of the encoder that the set-up installs.

const root = mkdtempSync(join(tmpdir(), 'nautil-new-'));
const homes = { bundled: join(root, 'bundled'), empty: join(root, 'empty') };
let folder: string;
beforeAll(() => {
  mkdirSync(join(homes.bundled, 'models'), { recursive: true });
  symlinkSync(goldenPath('bert-tiny-uncased'), join(homes.bundled, 'models', 'all-MiniLM-L6-v2'));
});
beforeEach(() => {
  folder = mkdtempSync(join(root, 'work-'));
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

function write(files: Record<string, string>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}

function create(args: string[], home: keyof typeof homes = 'bundled') {
  const program = join(packageRoot(), 'apps/cli/bin/nautil.mjs');
  const places = { INIT_CWD: folder, NAUTIL_HOME: homes[home], HF_HOME: join(root, 'hub'), HF_HUB_OFFLINE: '1' };
  const env = { ...process.env, NODE_OPTIONS: '', DEBUG: '', ...places };
  return spawnSync(process.execPath, [program, 'new', ...args], {
    cwd: folder,
    env,
    encoding: 'utf8',
    timeout: 60_000,
  });
}

const configAt = async (file: string): Promise<Config> => {
  const place = { configPath: dirname(join(folder, file)), configName: file.replace(/^.*\//, '') };
  return (await loadConfig({ ...place, cwd: folder })).config;
};

/** Writes the configuration `name`, and reads it. */
async function created(name: string, ...args: string[]): Promise<{ config: Config; stdout: string }> {
  const { status, stdout, stderr } = create([name, ...args]);
  expect({ status, stderr }).toMatchObject({ status: 0 });
  return { config: await configAt(`${name}.yaml`), stdout };
}

// Words of the tiny encoder's vocabulary: in some reference sets it has few others.
const words = readFileSync(goldenPath('bert-tiny-uncased', 'vocab.txt'), 'utf8')
  .split('\n')
  .filter((word) => /^\p{L}{3,}$/u.test(word));
const textOf = (i: number): string =>
  Array.from({ length: 4 + (i % 3) }, (_, k) => words[(i * (2 * k + 1) + 31 * k) % words.length]).join(' ');
const rows = (count: number, labels: readonly (string | number)[], text = textOf): string =>
  Array.from({ length: count }, (_, i) => `"${text(i)}",${labels[i % labels.length]}\n`).join('');
const csv = (count: number, labels: readonly (string | number)[]): string => `text,label\n${rows(count, labels)}`;

describe('the data', () => {
  test('a table gets a validation set, the preset’s learning rate, and the length of its texts', async () => {
    write({ 'a.csv': csv(600, ['good', 'bad']) });
    const { config, stdout } = await created('reviews', '--data', 'a.csv');
    expect(config.model).toMatchObject({
      language_model: { pretrained_model_name: 'all-MiniLM-L6-v2' },
      train_ds: { file_path: 'a.csv' },
      dataset: { max_seq_length: expect.any(Number) },
    });
    expect(config.model.optim.lr).toBe((await loadConfig({ overrides: ['model=minilm'] })).config.model.optim.lr);
    expect(config.nautil.data.validation_fraction).toBe(0.1);
    expect(stdout).toContain('a.csv is CSV');
    expect(stdout).not.toContain('download');
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('train it  npx nautil run reviews.yaml');
  }, 60_000);

  test('columns, a validation and a test file are those that the options name', async () => {
    const table = `title,body,stars\n${rows(40, [1, 5]).replaceAll(/^/gm, 'a b,').replaceAll('a b,"', '"a b","').replace(/a b,$/, '')}`;
    write({ 'a.csv': table, 'dev.csv': table, 'test.csv': table });
    const options = [
      '--text-column',
      'body',
      '--label-column',
      'stars',
      '--validation',
      'dev.csv',
      '--test',
      'test.csv',
    ];
    const { config } = await created('x', '--data', 'a.csv', ...options);
    expect(config.nautil.data).toMatchObject({ text_column: 'body', label_column: 'stars', validation_fraction: null });
    expect(config.model.validation_ds.file_path).toBe('dev.csv');
    expect(config.model.test_ds.file_path).toBe('test.csv');
  }, 60_000);

  test('of pairs, the tokens of both texts are counted', async () => {
    const pair = (i: number): string => `${i} ${'the film is good '.repeat(4)}`;
    const table = (columns: string): string =>
      `${columns}\n${Array.from({ length: 40 }, (_, i) => `${pair(i)},${pair(i)},${i % 2}\n`).join('')}`;
    write({ 'pairs.csv': table('premise,hypothesis,label'), 'single.csv': table('text,other,label') });
    const lengthOf = async (name: string): Promise<number> =>
      (await created(name, '--data', `${name}.csv`)).config.model.dataset.max_seq_length;
    expect(await lengthOf('pairs')).toBeGreaterThan(1.5 * (await lengthOf('single')));
  }, 60_000);

  test('NeMo’s TSV is divided, and its labels with gaps are numbered from 0', async () => {
    const lines = (labels: number[]): string =>
      Array.from({ length: 40 }, (_, i) => `${textOf(i)}\t${labels[i % 2]}\n`).join('');
    write({ 'a.tsv': lines([0, 1]), 'gaps.tsv': lines([1, 5]) });
    const { config } = await created('plain', '--data', 'a.tsv');
    expect(config.nautil.data).toMatchObject({ relabel: false, validation_fraction: 0.2 });
    expect((await created('gaps', '--data', 'gaps.tsv')).config.nautil.data.relabel).toBe(true);
  }, 60_000);

  test('a folder of texts for each class is the source', async () => {
    write(
      Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`news/${i % 2 ? 'sport' : 'art'}/${i}.txt`, textOf(i)])),
    );
    const { config } = await created('topics', '--data', 'news');
    expect(config.nautil.data.source).toBe('news');
    expect(config.model.train_ds.file_path).toBeNull();
  }, 60_000);

  test('a folder with a validation set keeps it', async () => {
    write({ 'set/train.csv': csv(40, ['x', 'y']), 'set/dev.csv': csv(10, ['x', 'y']) });
    const { config, stdout } = await created('folder', '--data', 'set');
    expect(config.nautil.data).toMatchObject({ source: 'set', validation_fraction: null });
    expect(stdout).toContain('warning: 10 texts occur more than once; `npx nautil inspect set --all` lists them');
  }, 60_000);

  test('texts with different labels are reported apart from those that only recur', async () => {
    write({ 'a.csv': `${csv(40, ['x', 'y'])}the same,x\nthe same,y\nonce more,x\nonce more,x\n` });
    const { stdout } = await created('repeated', '--data', 'a.csv');
    expect(stdout).toContain('warning: 1 text occurs more than once with different labels');
    expect(stdout).toContain('warning: 1 text occurs more than once; `npx nautil inspect a.csv --all` lists them');
  }, 60_000);

  test('few examples and texts that are cut are reported', async () => {
    write({ 'a.csv': `text,label\n${rows(12, ['x', 'y'], (i) => `${i} ${'good '.repeat(300)}`)}` });
    const { config, stdout } = await created('few', '--data', 'a.csv');
    const positions = (readGoldenJson('bert-tiny-uncased', 'config.json') as { max_position_embeddings: number })
      .max_position_embeddings;
    expect(config.model.dataset.max_seq_length).toBe(positions);
    expect(stdout).toContain('warning: 2 classes have fewer than 20 examples');
    expect(stdout).toContain(
      `warning: more than 1 % of the texts are longer than ${positions} tokens, and are cut there`,
    );
  }, 60_000);

  test('a data set on the hub is found by its name', async () => {
    const repository = join(root, 'hub', 'hub', 'datasets--owner--films');
    mkdirSync(join(repository, 'snapshots', 'abc'), { recursive: true });
    mkdirSync(join(repository, 'refs'));
    writeFileSync(join(repository, 'refs', 'main'), 'abc');
    writeFileSync(join(repository, 'snapshots', 'abc', 'train.csv'), csv(40, ['x', 'y']));
    const { config, stdout } = await created('films', '--data', 'owner/films');
    expect(config.nautil.data.source).toBe('owner/films');
    expect(stdout).toContain('the classes are 0 = x, 1 = y');
  }, 60_000);

  test.each([
    ['one class', 'text,label\na b,x\nc d,x\n', /all rows have the label "x", and a classifier needs two classes/],
    ['ratings with fractions', 'text,label\na b,0.5\nc d,1.25\ne f,2.5\n', /they are measures, not classes/],
    ['no rows', 'text,label\n', /has no rows/],
    ['no table', 'just a line\n', /./],
  ])(
    '%s: the exit code is 3, and nothing is written',
    async (_, content, message) => {
      write({ 'a.csv': content });
      const { status, stderr } = create(['x', '--data', 'a.csv']);
      expect(stderr).toMatch(message);
      expect(status).toBe(3);
      expect(() => readFileSync(join(folder, 'x.yaml'))).toThrow('ENOENT');
    },
    60_000,
  );

  test('a data set that is nowhere is an error that states where it was looked for', async () => {
    const { status, stderr } = create(['x', '--data', 'owner/name']);
    expect(stderr).toMatch(/owner\/name is not on this machine/);
    expect(status).not.toBe(0);
  }, 60_000);
});

describe('without a terminal, an option is named', () => {
  test.each([
    ['the data', [], 2, /add --data FILE/],
    ['the columns', ['--data', 'unclear.csv'], 3, /name the column with --label-column/],
  ])(
    'for %s',
    async (_, args, code, message) => {
      write({
        'unclear.csv': `text,category,topic\n${Array.from({ length: 30 }, (__, i) => `${textOf(i)},${i % 2},${i % 3}\n`).join('')}`,
      });
      const { status, stderr } = create(['x', ...args]);
      expect(stderr).toMatch(message);
      expect(status).toBe(code);
    },
    60_000,
  );

  test('for the encoder, if none is on this machine; --yes takes the proposed one', async () => {
    write({ 'a.csv': csv(40, ['x', 'y']) });
    const { status, stderr } = create(['x', '--data', 'a.csv'], 'empty');
    expect(stderr).toMatch(/^no encoder of the presets is on this machine\n.*add --encoder bge-small-en/);
    expect(status).toBe(2);
    const { stdout } = create(['x', '--data', 'a.csv', '--yes'], 'empty');
    expect(stdout).toContain('which the first run downloads');
    expect(stdout).toMatch(
      /warning: the first run would fail at its download: .*HF_HUB_OFFLINE is set; .*--encoder FOLDER/,
    );
    const { config } = { config: await configAt('x.yaml') };
    expect(config.model.language_model.pretrained_model_name).toBe('BAAI/bge-small-en-v1.5');
  }, 60_000);

  test('for the encoder, if the vocabulary lacks the language', async () => {
    write({ 'zh.csv': `text,label\n${rows(60, ['体育', '财经'], (i) => `球队在比赛中获得胜利${i}的消息令人高兴`)}` });
    const { status, stderr } = create(['x', '--data', 'zh.csv']);
    expect(stderr).toMatch(/all-MiniLM-L6-v2 does not suit the texts: .*add --encoder bert-base-chinese/s);
    expect(status).toBe(2);
    expect(create(['x', '--data', 'zh.csv', '--yes']).status).toBe(0);
    expect((await configAt('x.yaml')).model.language_model.pretrained_model_name).toBe('bert-base-chinese');
    expect(create(['kept', '--data', 'zh.csv', '--encoder', 'minilm']).stdout).toContain(
      'warning: all-MiniLM-L6-v2 does not suit the texts',
    );
  }, 120_000);

  test('for a file that exists, which is kept', async () => {
    write({ 'a.csv': csv(40, ['x', 'y']), 'x.yaml': 'mine' });
    const { status, stderr } = create(['x', '--data', 'a.csv', '--yes']);
    expect(stderr).toMatch(/^x\.yaml exists\n.*--force.*--output/);
    expect(status).toBe(2);
    expect(readFileSync(join(folder, 'x.yaml'), 'utf8')).toBe('mine');
    expect(create(['x', '--data', 'a.csv', '--force']).status).toBe(0);
    expect((await configAt('x.yaml')).model.train_ds.file_path).toBe('a.csv');
  }, 60_000);
});

describe('the name', () => {
  test.each([
    ['reviews.yaml', 'reviews.yaml', 'reviews'],
    ['conf/own/reviews', 'conf/own/reviews.yaml', 'reviews'],
    ['мои отзывы', 'мои отзывы.yaml', 'мои отзывы'],
  ])(
    '%s writes %s of the experiment %s',
    async (name, file, experiment) => {
      write({ 'a.csv': csv(40, ['x', 'y']) });
      expect(create([name, '--data', 'a.csv']).stderr).not.toMatch(/^ +at /m);
      expect((await configAt(file)).exp_manager.name).toBe(experiment);
    },
    60_000,
  );

  test('--output writes another file', async () => {
    write({ 'a.csv': csv(40, ['x', 'y']) });
    expect(create(['reviews', '--data', 'a.csv', '--output', '-x.yaml']).stdout).toMatch(/run \.\/-x\.yaml$/m);
    expect((await configAt('-x.yaml')).exp_manager.name).toBe('reviews');
  }, 60_000);

  test.each(['..', 'a/', 'a\tb', 'x'.repeat(200), 'text_classification_config'])(
    '%j is an error',
    async (name) => {
      write({ 'a.csv': csv(40, ['x', 'y']) });
      const { status, stderr } = create([name, '--data', 'a.csv']);
      expect(status).toBe(2);
      expect(stderr).not.toMatch(/^ +at /m);
    },
    60_000,
  );
});
