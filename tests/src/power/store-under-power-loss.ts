import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileRef } from '@nautil/contracts';
import { fileRef, stageOutput, Store, writeFileAtomic } from '@nautil/store';

const tokens = Buffer.alloc(10_000, 'tokens ');
const model = Buffer.alloc(9000, 'model ');

interface Output {
  tokens: FileRef;
  model: FileRef;
}

/** Makes the output of a stage, with a file in its folder and an object of the store, which both entries share. */
const entry = (store: Store, number: number) =>
  stageOutput<Output>(
    'drill',
    { number },
    async ({ folder }) => {
      const path = join(folder, 'deeper', 'tokens');
      await writeFileAtomic(path, tokens);
      return { tokens: await fileRef(path), model: await store.put(model, 'model.nemo') };
    },
    { store },
  );

const entries = [1, 2];

export async function writeEntries(folder: string, mark: (text: string) => void): Promise<void> {
  const store = new Store(join(folder, 'store'));
  for (const number of entries) {
    await entry(store, number);
    mark(`stored ${number}`);
  }
}

/** An entry that was stored must be there. One that was not must be there, too, or is made again without a warning of damage. */
export async function checkEntries(folder: string, marks: readonly string[]): Promise<string> {
  const store = new Store(join(folder, 'store'));
  const states: string[] = [];
  for (const number of entries) {
    const { output, reused, warnings } = await entry(store, number);
    if (warnings.length > 0) throw new Error(warnings.join('; '));
    if (marks.includes(`stored ${number}`) && !reused) throw new Error(`entry ${number} is gone`);
    if (!(await readFile(output.tokens.path)).equals(tokens)) throw new Error(`${output.tokens.path} is damaged`);
    if (!(await readFile(output.model.path)).equals(model)) throw new Error(`${output.model.path} is damaged`);
    states.push(reused ? 'stored' : 'made again');
  }
  return states.join(', ');
}
