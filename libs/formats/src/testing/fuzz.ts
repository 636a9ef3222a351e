import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { NautilError } from '@nautil/contracts';
import { peakMemory } from '@nautil/store/process';
import { readNemo } from '../nemo/read-nemo.js';
import { openTensors } from '../open-tensors.js';
import type { TensorSource } from '../tensor-source.js';
import { mutate, randomFrom } from './mutate.js';

/** What a run of this program prints, as JSON. */
export interface FuzzReport {
  cases: number;

  /** Mutated files that were read to the end. */
  read: number;

  /** The number of rejected files for each error name. */
  refused: Record<string, number>;
  slowestMs: number;

  /** Growth of the process's largest size in memory, over that after reading every file as it is. */
  memoryBytes: number;
  failures: string[];
}

/**
 * Reads mutated copies of files: `fuzz.ts SEED CASES_A_FILE FILE…`. It is a separate program, so
 * that the test can detect a crash, a hang or excessive memory use. Each case has its own seed; the seeds of failed cases are
 * printed so that they can be reproduced.
 */
async function fuzz(seed: number, casesPerFile: number, files: string[]): Promise<FuzzReport> {
  const folder = mkdtempSync(join(tmpdir(), 'nautil-fuzz-'));
  const report: FuzzReport = { cases: 0, read: 0, refused: {}, slowestMs: 0, memoryBytes: 0, failures: [] };
  try {
    for (const file of files) await readWhole(file);
    const before = peakMemory();
    for (const [fileIndex, file] of files.entries()) {
      const original = readFileSync(file);
      const target = join(folder, basename(file));
      for (let index = 0; index < casesPerFile; index += 1) {
        const caseSeed = seed + fileIndex * 1_000_003 + index;
        writeFileSync(target, mutated(original, caseSeed));
        const start = performance.now();
        try {
          await readWhole(target);
          report.read += 1;
        } catch (error) {
          if (error instanceof NautilError) report.refused[error.name] = (report.refused[error.name] ?? 0) + 1;
          else report.failures.push(`${file}, seed ${caseSeed}: ${(error as Error).stack ?? String(error)}`);
        }
        report.slowestMs = Math.max(report.slowestMs, performance.now() - start);
        report.cases += 1;
      }
    }
    report.memoryBytes = peakMemory() - before;
  } finally {
    rmSync(folder, { recursive: true });
  }
  return report;
}

function mutated(original: Buffer, seed: number): Buffer {
  const random = randomFrom(seed);
  const isGzip = original[0] === 0x1f && original[1] === 0x8b;
  // Mutating the decompressed bytes tests the readers behind gzip.
  return isGzip && random(2) === 0
    ? gzipSync(mutate(gunzipSync(original), random), { level: 1 })
    : mutate(original, random);
}

/** Reads everything that this library can read from a file. */
async function readWhole(path: string): Promise<void> {
  if (!path.endsWith('.nemo')) {
    const source = await openTensors(path);
    return readTensors(source).finally(() => source.close());
  }
  const archive = await readNemo(path);
  try {
    await archive.labels();
    for (const key of archive.artifactNames) await archive.artifact(key);
    await archive.encoderConfig({ attentionHeads: 1 });
    await readTensors(archive.tensors);
  } finally {
    await archive.close();
  }
}

async function readTensors(source: TensorSource): Promise<void> {
  for (const name of source.names()) await source.read(name);
}

const [seed, casesPerFile, ...files] = process.argv.slice(2);
console.log(JSON.stringify(await fuzz(Number(seed), Number(casesPerFile), files)));
