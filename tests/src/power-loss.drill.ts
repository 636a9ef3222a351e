import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect } from '@jest/globals';
import { randomFrom } from '@nautil/formats/testing/mutate';
import { testIf } from '@nautil/testing';
import { crashStates, materialize } from './power/crash-states.js';
import { canTrace, recordOperations } from './power/file-operations.js';
import { type SubjectName, subjects } from './power/subjects.js';
import { printLine } from './testing/drill.js';

// Records the file operations of a writer, and opens what a power cut during any of them can leave.

const folder = mkdtempSync(join(tmpdir(), 'nautil-power-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const program = fileURLToPath(new URL('power/write-subject.ts', import.meta.url));
const seed = Number(process.env['SEED'] ?? 1);
const mostStates = Number(process.env['STATES'] ?? 300);
const samples = 12;

const traces = canTrace();
const whySkipped = 'strace is not installed or may not trace';
// Jest prints nothing about a file whose tests are all skipped.
if (!traces) printLine(`power loss: skipped, because ${whySkipped}`);
for (const name of Object.keys(subjects) as SubjectName[]) {
  testIf(traces, whySkipped, `whatever a power cut leaves of ${name} is the old or the new state`, async () => {
    const root = join(folder, name.replace(' ', '-'));
    mkdirSync(join(root, 'written'), { recursive: true });
    const operations = await recordOperations(
      ['--import', 'tsx', program, name, join(root, 'written')],
      join(root, 'written'),
    );
    const all = crashStates(operations, { root: join(root, 'written'), random: randomFrom(seed), samples });
    const step = Math.max(1, all.length / mostStates);
    const states = Array.from({ length: Math.ceil(all.length / step) }, (_, i) => all[Math.floor(i * step)]!);

    const outcomes: Record<string, number> = {};
    const failures: string[] = [];
    for (const [i, state] of states.entries()) {
      const place = join(root, String(i));
      materialize(state, place);
      try {
        const outcome = await subjects[name].check(place, state.marks);
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      } catch (error) {
        failures.push(
          `${state.description.replace(root, '')}, marks ${state.marks.at(-1) ?? 'none'}: ${String(error)}`,
        );
      }
      rmSync(place, { recursive: true, force: true });
    }
    const found = Object.entries(outcomes).map(([outcome, count]) => `${count} ${outcome}`);
    const syncs = operations.filter((operation) => operation.do === 'sync').length;
    printLine(
      `power loss, ${name}: ${operations.length} operations with ${syncs} syncs, ${all.length} states, ${states.length} opened: ` +
        `${found.join('; ')}; ${failures.length} failed (seed ${seed})`,
    );
    expect(failures.slice(0, 10)).toEqual([]);
  });
}
