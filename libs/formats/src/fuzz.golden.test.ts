import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { packageRoot } from '@nautil/store/folders';
import { goldenFiles, goldenPath } from '@nautil/testing';
import type { FuzzReport } from './testing/fuzz.js';

const leastCases = 5000;

/** All files of golden that this library reads. */
const files = [
  ...new Set([
    ...goldenFiles('.', '.safetensors', '.bin', '.pt', '.nemo'),
    ...goldenFiles('nemo-files', '.safetensors', '.nemo'),
    goldenPath('nemo/run_artifacts/tiny_bert_sst2.nemo'),
  ]),
];

/** Runs the program; a crash, a hang, or more memory than the limit ends it without a report. */
function fuzz(seed: number, casesPerFile: number, of: readonly string[]): Promise<FuzzReport> {
  const program = join(packageRoot(), 'libs/formats/src/testing/fuzz.ts');
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', '--max-old-space-size=256', program, String(seed), String(casesPerFile), ...of],
    { cwd: packageRoot(), env: { ...process.env, NODE_OPTIONS: '' }, timeout: 170_000, killSignal: 'SIGKILL' },
  );
  let output = '';
  let complaints = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  return new Promise((resolve, reject) =>
    child.on('close', (code, signal) => {
      if (code === 0) resolve(JSON.parse(output) as FuzzReport);
      else reject(new Error(`the reader ended with ${signal ?? code}: ${complaints.slice(-2000)}`));
    }),
  );
}

test('thousands of damaged copies of every file are read or refused: no crash, no hang, bounded memory', async () => {
  const halves = [0, 1].map((half) => files.filter((_, index) => index % 2 === half));
  const reports = await Promise.all(
    halves.map((half, index) => fuzz(20_260 + index, Math.ceil(leastCases / files.length), half)),
  );
  expect(reports.flatMap(({ failures }) => failures)).toEqual([]);
  expect(reports.reduce((sum, { cases }) => sum + cases, 0)).toBeGreaterThanOrEqual(leastCases);

  // Damage that nothing notices would mean that it never met a reader.
  const refused = reports.reduce<Record<string, number>>((all, report) => {
    for (const [name, count] of Object.entries(report.refused)) all[name] = (all[name] ?? 0) + count;
    return all;
  }, {});
  for (const name of ['CorruptFile', 'UnsafePickle', 'UnsupportedFile']) expect(refused[name]).toBeGreaterThan(10);

  // Views may repeat a small storage up to 64 MiB, one at a time; a garbage collector may be late with a few.
  const largest = Math.max(...files.map((file) => statSync(file).size));
  for (const { slowestMs, memoryBytes } of reports) {
    expect(slowestMs).toBeLessThan(10_000);
    expect(memoryBytes).toBeLessThan(512 * 2 ** 20 + 8 * largest);
  }
}, 180_000);
