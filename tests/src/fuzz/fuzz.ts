import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { randomFrom } from '@nautil/formats/testing/mutate';
import { ReaderProcess } from './reader-pool.js';
import type { Format } from './readers.js';
import { allSeeds, type Seed, writeInput } from './seeds.js';

export interface FuzzOptions {
  inputs: number;

  /** Determines all inputs. */
  seed: number;

  /** Reads only files of this format. */
  format?: Format | undefined;

  /** The number of the first input; with `inputs: 1`, one input is repeated. */
  from?: number;

  /** Where files that are findings are saved. */
  findings: string;

  onProgress?: (inputs: number) => void;
}

/** An input that was neither accepted nor rejected with a typed error. */
interface Finding {
  format: Format;

  /** The saved file. */
  file: string;

  /** The command that repeats it. */
  command: string;
  problem: string;
}

export interface FuzzReport {
  seed: number;
  inputs: number;

  /** By format and outcome. */
  outcomes: Record<string, Record<string, number>>;
  findings: Finding[];
}

/** Processes that read at once. */
const readers = 2;

const bounds = { peakBytes: 900 << 20, restartBytes: 600 << 20 };

/** Gives mutated files of every format to its reader. Each input has its own seed, so that it can be repeated alone. */
export async function fuzz(o: FuzzOptions): Promise<FuzzReport> {
  const folder = mkdtempSync(join(tmpdir(), 'nautil-fuzz-'));
  const seeds = allSeeds();
  const choices = seeds.flatMap((seed, index) =>
    o.format === undefined || seed.format === o.format ? Array.from({ length: seed.weight ?? 1 }, () => index) : [],
  );
  const report: FuzzReport = { seed: o.seed, inputs: 0, outcomes: {}, findings: [] };
  let next = o.from ?? 0;
  const end = next + o.inputs;

  const readAll = async (reader: ReaderProcess): Promise<void> => {
    while (next < end) {
      const number = next++;
      const caseSeed = (o.seed * 1_000_003 + number) >>> 0;
      const index = choices[randomFrom(caseSeed ^ 0x5bd1e995)(choices.length)] ?? 0;
      const seed = seeds[index]!;
      const { verdict, finding } = await reader.judge({ seed: index, caseSeed });
      const ofFormat = (report.outcomes[seed.format] ??= {});
      const outcome = finding === undefined ? (verdict?.outcome ?? '') : 'FINDING';
      ofFormat[outcome] = (ofFormat[outcome] ?? 0) + 1;
      if (finding !== undefined) report.findings.push(await saved(seed, caseSeed, number, finding));
      report.inputs++;
      o.onProgress?.(report.inputs);
    }
  };

  const saved = async (seed: Seed, caseSeed: number, number: number, problem: string): Promise<Finding> => {
    mkdirSync(o.findings, { recursive: true });
    const file = join(o.findings, `${seed.format}-${o.seed}-${number}-${basename(seed.file)}`);
    copyFileSync(await writeInput(seed, caseSeed, join(folder, 'saved')), file);
    const format = o.format === undefined ? '' : ` --format ${o.format}`;
    const command = `npx nx run tests:fuzz -- --seed ${o.seed} --from ${number} --inputs 1${format}`;
    return { format: seed.format, file, command, problem };
  };

  const processes = Array.from(
    { length: readers },
    (_, index) => new ReaderProcess(join(folder, String(index)), bounds),
  );
  try {
    await Promise.all(processes.map(readAll));
  } finally {
    await Promise.all(processes.map((reader) => reader.close()));
    rmSync(folder, { recursive: true, force: true });
  }
  return report;
}

/** A report for people: the outcomes by format, then each finding with the command that repeats it. */
export function formatFuzz({ seed, inputs, outcomes, findings }: FuzzReport): string {
  const lines = Object.entries(outcomes)
    .sort()
    .map(([format, counts]) => {
      const parts = Object.entries(counts).sort(([, a], [, b]) => b - a);
      return `${format.padEnd(11)} ${parts.map(([outcome, count]) => `${outcome} ${count}`).join(', ')}`;
    });
  return [
    `${inputs} inputs, seed ${seed}: ${findings.length} findings`,
    ...lines,
    ...findings.flatMap(({ file, command, problem }) => ['', file, command, problem]),
  ].join('\n');
}
