import { join } from 'node:path';
import { NautilError } from '@nautil/contracts';
import { peakMemory } from '@nautil/store/process';
import { type Format, readers } from './readers.js';
import { allSeeds, writeInput } from './seeds.js';

/** One file to read: a mutated copy of a seed, or a file that exists. */
export type Input = { seed: number; caseSeed: number } | { format: Format; path: string };

/** What became of a file. */
export interface Verdict {
  /** `accepted`, the name of a typed error, or undefined for an error that no caller can act on. */
  outcome: string | undefined;

  /** The stack of an error that is not typed; the message of one that is. */
  detail?: string;

  /** Processor time of all threads, whatever else the machine does. */
  cpuMs: number;

  /** The largest size of this process so far. */
  peakBytes: number;
}

/**
 * A program that reads hostile files, one after another, so that another process can end it when it takes too long or too much
 * memory: `reader-process.ts FOLDER`.
 */
function main(folder: string): void {
  const seeds = allSeeds();
  process.on('message', (input: Input) => {
    void answer(input).then((verdict) => process.send?.(verdict));
  });
  process.send?.('ready');

  async function answer(input: Input): Promise<Verdict> {
    let read: () => Promise<void>;
    if ('path' in input) read = () => readers[input.format](input.path);
    else {
      const seed = seeds[input.seed];
      if (!seed) throw new RangeError(`there is no seed ${input.seed}`);
      const path = await writeInput(seed, input.caseSeed, join(folder, String(input.seed)));
      read = () => readers[seed.format](path);
    }
    const before = process.cpuUsage();
    const outcome = await outcomeOf(read);
    const { user, system } = process.cpuUsage(before);
    return { ...outcome, cpuMs: (user + system) / 1000, peakBytes: peakMemory() };
  }
}

async function outcomeOf(read: () => Promise<void>): Promise<Pick<Verdict, 'outcome' | 'detail'>> {
  try {
    await read();
    return { outcome: 'accepted' };
  } catch (error) {
    if (error instanceof NautilError) {
      const { name, message, hint = '' } = error;
      return { outcome: name, detail: `${message.slice(0, 2000)}\n${hint.slice(0, 500)}` };
    }
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { outcome: undefined, detail: stack.slice(0, 4000) };
  }
}

const [, , folder] = process.argv;
if (folder === undefined) throw new RangeError('usage: reader-process.ts FOLDER');
main(folder);
