import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Ended, root } from './testing/run-program.js';
import { fewerExamples, TutorialFolder } from './testing/tutorial-folder.js';
import { tutorialParts } from './tutorial.js';

// docs/tutorials/README.md, as its reader types it, with `jupyter nbconvert` in the place of a browser, and a tenth of the examples.

interface ExecutedNotebook {
  cells: {
    cell_type: string;
    source: string[];
    outputs?: { output_type: string; text?: string[] }[];
  }[];
}

const notebook = 'docs/tutorials/sentiment-analysis.ipynb';
let folder: TutorialFolder;
let ended: Ended;
let cells: ExecutedNotebook['cells'];
beforeAll(async () => {
  folder = await TutorialFolder.make();
  const copy = join(folder.path, notebook);
  await mkdir(dirname(copy), { recursive: true });
  await writeFile(copy, fewerExamples(await readFile(join(root, notebook), 'utf8')));
  const page = await readFile(join(root, 'docs/tutorials/README.md'), 'utf8');
  const commands = tutorialParts(page).find(({ kind }) => kind === 'sh')!.text;
  ended = await folder.run(commands.replace('jupyter lab', 'jupyter nbconvert --to notebook --execute --inplace'));
  const executed = JSON.parse(await readFile(copy, 'utf8')) as ExecutedNotebook;
  cells = executed.cells.filter(({ cell_type }) => cell_type === 'code');
}, 1_200_000);
afterAll(() => folder.remove(), 120_000);

const printedBy = (cell: ExecutedNotebook['cells'][number]): string =>
  (cell.outputs ?? []).flatMap(({ text }) => text ?? []).join('');

test('Jupyter and the kernel are installed, and every cell is executed', () => {
  expect({ ...ended, stdout: ended.exitCode === 0 ? '' : ended.stdout.slice(-4000) }).toMatchObject({
    exitCode: 0,
    stdout: '',
  });
  const [, ...withOutput] = cells.map(printedBy); // the first cell defines a function
  expect(withOutput.length).toBeGreaterThan(8);
  expect(withOutput).not.toContain('');
  expect(cells.flatMap(({ outputs }) => outputs ?? []).map(({ output_type }) => output_type)).not.toContain('error');
});

test('the TypeScript cell counts the examples that the accuracy counts', () => {
  const printed = cells.map(printedBy);
  const [, accuracy, examples] =
    /^test loss .*accuracy ([\d.]+), .*on (\d+) examples of /m.exec(printed.join('\n')) ?? [];
  const list = printed[cells.findIndex(({ source }) => source[0]?.startsWith('// errors.ts'))] ?? '';
  const counts = [...list.matchAll(/^(\d+) \w+ reviews are misclassified$/gm)].map(([, count]) => Number(count));
  const mistakes = counts.reduce((sum, count) => sum + count, 0);
  expect(mistakes).toBeGreaterThan(0);
  expect(accuracy).toBe((1 - mistakes / Number(examples)).toFixed(4));
});
