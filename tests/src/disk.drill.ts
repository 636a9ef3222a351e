import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { appendFile, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openTensors } from '@nautil/formats';
import { fetchFile } from '@nautil/store/download';
import { printLine, short } from './testing/drill.js';
import { tinyRun, until } from './testing/local-stack.js';
import { StagedRun } from './testing/staged-run.js';

// A small disk is really filled: each stage reports it, existing files stay intact, and the run continues once there is room.

const run = promisify(execFile);
const diskBytes = 96 << 20;
const folder = mkdtempSync(join(tmpdir(), 'nautil-disk-'));
const disk = join(folder, 'small');
const filler = join(disk, 'filler');
const faults = join(folder, 'faults');
const homeBefore = process.env['NAUTIL_HOME'];
let mounted = false;
let server: Server;

beforeAll(async () => {
  mkdirSync(disk);
  await run('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'tmpfs', disk]).then(
    () => {
      mounted = true;
    },
    (error: unknown) => {
      printLine(`disk full: skipped, because this user may not mount a small disk (${String(error).trim()})`);
    },
  );
  server = createServer((_request, response) => response.end(Buffer.alloc(1 << 20, 7)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  if (homeBefore === undefined) delete process.env['NAUTIL_HOME'];
  else process.env['NAUTIL_HOME'] = homeBefore;
  server.close();
  server.closeAllConnections();
  if (mounted) await run('umount', [disk]);
  rmSync(folder, { recursive: true, force: true });
});

/** Fills the disk to the last byte. */
async function fillDisk(): Promise<void> {
  for (let chunk = 1 << 20; chunk >= 1; chunk >>= 4) {
    try {
      for (;;) await appendFile(filler, Buffer.alloc(chunk));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
}

const makeRoom = (): Promise<void> => truncate(filler, 0);

/** Runs `work` on a disk with `leftBytes` free; expects a retryable DiskFull error that names the path, and returns its message. */
async function failureOf(work: () => Promise<unknown>, leftBytes = 0): Promise<string> {
  await fillDisk();
  await truncate(filler, (await stat(filler)).size - leftBytes);
  const error = await work().then(
    () => new Error('the disk was full, but nothing failed'),
    (thrown: unknown) => thrown as Error,
  );
  await makeRoom();
  expect(error).toMatchObject({ name: 'DiskFull', kind: 'environment', retryable: true });
  expect(error.message).toMatch(new RegExp(`${disk}\\S*.*: the disk is full`));
  return error.message.replaceAll(disk, '…');
}

const overrides = [...tinyRun, 'trainer.max_epochs=2', 'trainer.limit_train_batches=5', 'trainer.limit_val_batches=3'];

async function unfinished(): Promise<string[]> {
  const names = await readdir(disk, { recursive: true });
  return names.filter((name) => /\.tmp$|incomplete/.test(name));
}

test('a disk that fills up in each writing stage damages no checkpoint, and the archive has the same bytes', async () => {
  if (!mounted) return;
  const begun = performance.now();
  const elsewhere = await StagedRun.open({ home: join(folder, 'roomy'), runKey: 'undisturbed', overrides });
  const undisturbed = (await elsewhere.run()).packaged;

  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/weights`;
  const download = () => fetchFile({ url: address, to: join(disk, 'weights') });
  printLine(`disk full in download: ${await failureOf(download)}`);
  expect((await download()).sizeBytes).toBe(1 << 20);

  const staged = await StagedRun.open({ home: join(disk, 'home'), runKey: 'full', overrides, faults });
  printLine(`disk full in cache: ${await failureOf(() => staged.cache())}`);
  const inputs = await staged.cache();
  printLine(`disk full in tokenize: ${await failureOf(() => staged.tokenize(inputs))}`);
  const tokens = await staged.tokenize(inputs);

  // The disk fills up while the second checkpoint is written, in the background of the steps.
  await writeFile(faults, 'hold checkpoint step 10');
  const training = staged.train(inputs, tokens).then(
    () => undefined,
    (error: unknown) => error as Error,
  );
  await until(async () => (await readFile(faults, 'utf8')) === '');
  const path = join(staged.resolved.folder, 'training', 'checkpoints', 'step-00000005.safetensors');
  const kept = { path, sha256: await sha256Of(path) };
  await fillDisk();
  await rm(faults);
  const failure = await training;
  await makeRoom();
  expect(failure).toMatchObject({ name: 'DiskFull', kind: 'environment', retryable: true });
  printLine(`disk full in a checkpoint: ${failure!.message.replaceAll(disk, '…')}`);
  expect(await sha256Of(kept.path)).toBe(kept.sha256);
  await (await openTensors(kept.path)).close();
  expect(await unfinished()).toEqual([]);

  const model = await staged.train(inputs, tokens);
  const checkpoints = await readdir(join(staged.resolved.folder, 'training/checkpoints'));
  expect(checkpoints.length).toBeLessThanOrEqual(2);
  const evaluated = await staged.evaluate(inputs, tokens, model);
  // Enough room for a lock and a part of the archive.
  printLine(`disk full in package: ${await failureOf(() => staged.package(inputs, tokens, evaluated), 32_768)}`);
  expect(await unfinished()).toEqual([]);
  const packaged = await staged.package(inputs, tokens, evaluated);
  expect((await stat(packaged.nemo.path)).size).toBe(undisturbed.nemo.sizeBytes);
  expect(packaged.nemo.sha256).toBe(undisturbed.nemo.sha256);
  await rm(filler);
  printLine(
    `disk full in download, cache, tokenize, train and package: .nemo ${short(packaged.nemo.sha256)}, undisturbed ${short(undisturbed.nemo.sha256)}, ${((performance.now() - begun) / 1000).toFixed(1)} s`,
  );
});

const sha256Of = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
