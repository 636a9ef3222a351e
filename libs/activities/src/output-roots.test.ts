import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { loadConfig } from '@nautil/config';
import { defaultFolder, nautilHome } from '@nautil/store/folders';
import { goldenPath, withFolder } from '@nautil/testing';
import { checkRun } from './check-run.js';
import { OutputNotAllowed, OutputRoots } from './output-roots.js';
import { requireReplaceable } from './require-replaceable.js';
import { resolveRun } from './stages/resolve-run.js';

const { NAUTIL_OUTPUTS, NAUTIL_HOME } = process.env;
afterEach(() => {
  for (const [name, value] of Object.entries({ NAUTIL_OUTPUTS, NAUTIL_HOME })) {
    if (value === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = value;
  }
});

/** A folder with a root `in`, a folder `out` beside it, a state folder `in/home`, and links between them. */
const withRoots = (work: (folder: string, roots: OutputRoots) => Promise<void>): Promise<void> =>
  withFolder({ 'in/file': '', 'out/file': 'x', 'in/home/store/x': '' }, async (folder) => {
    symlinkSync(join(folder, 'out'), join(folder, 'in/link'));
    symlinkSync(join(folder, 'out/new'), join(folder, 'in/to-nothing'));
    symlinkSync('../out', join(folder, 'in/relative'));
    mkdirSync(join(folder, 'in/sub'));
    symlinkSync('../../out', join(folder, 'in/sub/link'));
    symlinkSync('inside-too', join(folder, 'in/inside'));
    symlinkSync('link/../new', join(folder, 'in/to-above-a-link'));
    symlinkSync(join(folder, 'in'), join(folder, 'alias'));
    await work(folder, new OutputRoots([join(folder, 'alias')], join(folder, 'in/home')));
  });

const outcome = (roots: OutputRoots, path: string): Promise<string> =>
  roots.require('model.nemo_path', path).then(
    () => 'allowed',
    (error: unknown) => `${(error as Error).name}: ${(error as Error).message}`,
  );

test.each([
  'in',
  'in/model.nemo',
  'in/new/folder/model.nemo',
  'in/sub/../model.nemo',
  'in/inside/model.nemo',
  'alias/model.nemo',
  'out/../in/x',
  'in/home/logs-of-mine/x',
])('an output in a root is allowed: %s', (path) =>
  withRoots(async (folder, roots) => expect(await outcome(roots, join(folder, path))).toBe('allowed')),
);

test.each([
  'out/model.nemo',
  'in/../out/model.nemo',
  'in-not/model.nemo',
  'in/link/model.nemo',
  'in/relative/new/model.nemo',
  'in/link/../model.nemo',
  'in/sub/link/../new/model.nemo',
  'in/to-above-a-link',
  'in/to-nothing',
  'in/to-nothing/model.nemo',
  'in/.bashrc',
  'in/.git/hooks/pre-commit',
  'in/home/store/objects/x',
  'in/home/python/bin/temporal',
  'in/home/runs/another/run.json',
  'in/home/stack.json',
  'in/home/worker.json',
  'in/a\0b',
])('an output elsewhere, behind a link, hidden, or in a part of Nautil’s own state is refused: %s', (path) =>
  withRoots(async (folder, roots) => {
    const message = await outcome(roots, `${folder}/${path}`);
    expect(message).toContain('OutputNotAllowed: model.nemo_path: this worker does not let runs write to');
    expect(message).toContain(join(folder, 'alias'));
  }),
);

test('the roots are the working folder and the state folder, or those that NAUTIL_OUTPUTS names', () =>
  withRoots(async (folder) => {
    process.env['NAUTIL_HOME'] = join(folder, 'in/home');
    process.env['NAUTIL_OUTPUTS'] = '';
    const byDefault = OutputRoots.ofWorker(join(folder, 'out'));
    for (const path of [join(folder, 'out/x'), join(nautilHome(), 'x'), join(defaultFolder(), 'x')])
      expect(await outcome(byDefault, path)).toBe('allowed');
    expect(await outcome(byDefault, join(folder, 'in/x'))).toContain('OutputNotAllowed');
    expect(await outcome(byDefault, join(homedir(), '.bashrc'))).toContain('OutputNotAllowed');

    process.env['NAUTIL_OUTPUTS'] = `${join(folder, 'in')}:~/models`;
    const named = OutputRoots.ofWorker(join(folder, 'out'));
    expect(await outcome(named, join(folder, 'in/x'))).toBe('allowed');
    expect(await outcome(named, join(homedir(), 'models/x'))).toBe('allowed');
    expect(await outcome(named, join(folder, 'out/x'))).toContain('OutputNotAllowed');
  }));

describe('a run from a queue', () => {
  /** The error of a run that is resolved in `cwd`. Nothing may have been written in `out`. */
  const failureOf = (overrides: (folder: string) => string[], cwd = 'in'): Promise<Error> => {
    let failure: Error = new Error('nothing: the run was resolved');
    return withRoots(async (folder, roots) => {
      process.env['NAUTIL_HOME'] = join(folder, 'in/home');
      writeFileSync(join(folder, 'train.tsv'), 'a good film\t1\na bad film\t0\n');
      const request = {
        ...{ workflowId: 'outputs', runKey: '1', taskQueue: 'nautil', cwd: join(folder, cwd) },
        overrides: [
          `model.train_ds.file_path=${join(folder, 'train.tsv')}`,
          `model.language_model.pretrained_model_name=${goldenPath('bert-tiny-uncased')}`,
          'model.nemo_path=null',
          ...overrides(folder),
        ],
      };
      const check = (config: Parameters<typeof checkRun>[0], o: { cwd: string }) =>
        checkRun(config, { ...o, requireOutput: roots.require });
      await resolveRun(request, { check }).catch((error: unknown) => (failure = error as Error));
      expect(readdirSync(join(folder, 'out'))).toEqual(['file']);
    }).then(() => failure);
  };

  test('is resolved if its outputs are in a root', async () => {
    expect((await failureOf(() => ['model.nemo_path=a/b.nemo'])).message).toBe('nothing: the run was resolved');
  });

  test.each([
    ['model.nemo_path', 'an absolute path', (folder: string) => `model.nemo_path=${folder}/out/model.nemo`],
    ['model.nemo_path', 'a path with ..', () => 'model.nemo_path=../out/model.nemo'],
    ['model.nemo_path', 'a path in the home folder', () => `model.nemo_path='~/.bashrc'`],
    ['model.nemo_path', 'a path through a link', () => 'model.nemo_path=link/model.nemo'],
    ['exp_manager.exp_dir', 'an absolute path', (folder: string) => `exp_manager.exp_dir=${folder}/out`],
    ['exp_manager.exp_dir', 'a path through a link', () => 'exp_manager.exp_dir=relative/new'],
    ['exp_manager.exp_dir', 'a folder with a link of the name', () => 'exp_manager.exp_dir=. exp_manager.name=link'],
    [
      'exp_manager.exp_dir',
      'a folder with a link of the version',
      () => 'exp_manager.exp_dir=. exp_manager.name=sub exp_manager.version=link',
    ],
    [
      'exp_manager.explicit_log_dir',
      'an absolute path',
      (folder: string) => `exp_manager.explicit_log_dir=${folder}/out`,
    ],
    ['exp_manager.explicit_log_dir', 'a hidden folder', () => 'exp_manager.explicit_log_dir=.ssh'],
    ['exp_manager.explicit_log_dir', 'a root, whose sibling is', () => 'exp_manager.explicit_log_dir=.'],
  ])('fails without a retry, and without writing, if %s is %s elsewhere', async (key, _, override) => {
    const failure = await failureOf((folder) => override(folder).split(' '));
    expect(failure).toBeInstanceOf(OutputNotAllowed);
    expect(failure).toMatchObject({ retryable: false, hint: expect.stringContaining('NAUTIL_OUTPUTS') });
    expect(failure.message).toContain(`${key}: `);
  });

  test('fails if it names no output, and its working folder is elsewhere', async () => {
    const failure = await failureOf(() => [], 'out');
    expect(failure.message).toContain('exp_manager.exp_dir: this worker does not let runs write to');
    expect(failure.message).toContain('out/nemo_experiments');
  });
});

test('an archive, an empty file and nothing may be replaced by an archive, and nothing else', () =>
  withFolder(
    { empty: '', text: 'alias ls=rm\n', 'gzip.gz': Buffer.from('1f8b0800000000000003', 'hex') },
    async (folder) => {
      mkdirSync(join(folder, 'folder'));
      const nemo = goldenPath('nemo/tiny_bert.nemo');
      for (const path of [nemo, join(folder, 'empty'), join(folder, 'new'), join(folder, 'text/new')])
        await expect(requireReplaceable('model.nemo_path', path)).resolves.toBeUndefined();
      for (const [name, what] of [
        ['text', 'a file that is not a .nemo archive'],
        ['gzip.gz', 'a file that is not a .nemo archive'],
        ['folder', 'a folder'],
      ] as const)
        await expect(requireReplaceable('model.nemo_path', join(folder, name))).rejects.toThrow(
          `model.nemo_path: ${join(folder, name)} is ${what}, and is not replaced`,
        );
      await expect(requireReplaceable('model.nemo_path', '/dev/null')).rejects.toThrow('a special file');
    },
  ));

test('the log folder of the shipped configuration is the one that is checked', async () => {
  const { config } = await loadConfig({ overrides: ['model.train_ds.file_path=x'] });
  const checked: string[] = [];
  const requireOutput = (key: string, path: string): Promise<void> =>
    Promise.resolve(void checked.push(`${key} ${path}`));
  await checkRun(config, { cwd: '/project', requireOutput }).catch(() => undefined);
  expect(checked).toContain('exp_manager.exp_dir /project/nemo_experiments/TextClassification');
});
