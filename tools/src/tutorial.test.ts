import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { getExperimentByName, MlflowClient, type Run, searchRuns } from '@nautil/mlflow';
import { root } from './testing/run-program.js';
import { fewerExamples, TutorialFolder } from './testing/tutorial-folder.js';
import { type TutorialPart, tutorialParts } from './tutorial.js';

// docs/tutorial.md from start to end, as its reader types it, with real servers and the encoder of the set-up. By default on a tenth of
// its examples, from which a model learns little; `npx nx run tools:tutorial` takes all of them and checks the scores.

const full = process.env['TUTORIAL'] === 'full';
const tutorial = await readFile(join(root, 'docs/tutorial.md'), 'utf8');
const parts = tutorialParts(full ? tutorial : fewerExamples(tutorial));
const down = parts.findIndex(({ text }) => text.includes('nautil down\n'));

/** What a reader types for a part of the tutorial. */
function typed({ kind, text }: TutorialPart): string {
  if (kind === 'ts') return `cat > ${/^\/\/ (\S+)/.exec(text)![1]} <<'END'\n${text}END\n`;
  return kind.startsWith('sh') ? text : '';
}

const marker = (part: number): string => `-- part ${part} --\n`;

/** What the commands of each part print. */
let printed: string[];
let exitCode: number | null;
let folder: TutorialFolder;
beforeAll(async () => {
  folder = await TutorialFolder.make();
  const script = parts.slice(0, down).map((part, i) => `printf '%s' '${marker(i)}'\n${typed(part)}`);
  const ended = await folder.run(script.join(''));
  exitCode = ended.exitCode;
  printed = parts
    .slice(0, down)
    .map((_, i) => ended.stdout.split(marker(i))[1]?.split(marker(i + 1))[0] ?? 'not reached');
}, 1_200_000);
afterAll(() => folder.remove(), 120_000);

const lines = (text: string): string[] => text.trim().split('\n');

/** A line without what differs between machines and numbers of examples: figures, folders, which texts are misclassified. */
const comparable = (line: string): string =>
  line
    .replace(/\w+ instead of \w+: ".*"/, 'one label instead of another')
    .replace(/[\w./-]*\//g, '')
    .replace(/(?:\d+ min )?[\d.]+ s\b/g, '# s')
    .replace(/\d[\d.,-]*/g, '#')
    .replace(/[█▏▎▍▌▋▊▉]+/g, '█')
    .replace(/\s+/g, ' ')
    .trim();

test('every command succeeds', () => {
  expect({ exitCode, last: exitCode === 0 ? '' : printed.filter((text) => text !== 'not reached').at(-1) }).toEqual({
    exitCode: 0,
    last: '',
  });
});

test('the README begins with commands of the tutorial', async () => {
  const [, block = ''] = /^```sh\n([^]*?)^```$/m.exec(await readFile(join(root, 'README.md'), 'utf8')) ?? [];
  const wordsOf = (line: string): string[] => line.replace(/#.*/, '').trim().split(/\s+/);
  const commands = lines(block).filter((line) => line.startsWith('npx nautil'));
  expect(commands.length).toBeGreaterThan(5);
  const inTutorial = lines(tutorial).map(wordsOf);
  const others = commands.filter(
    (line) => !inTutorial.some((words) => wordsOf(line).every((word) => words.includes(word))),
  );
  expect(others).toEqual([]);
});

const shown = parts.flatMap(({ kind, text }, i) => (kind === 'text' ? [{ i, text }] : []));

test('the tutorial shows output', () => expect(shown.length).toBeGreaterThan(4));

test.each(shown)('what the tutorial shows is what the commands print, up to numbers: part $i', ({ i, text }) => {
  // The commands are one part before the output, with text in between.
  const output = lines(printed.slice(Math.max(0, i - 2), i).join('\n')).map(comparable);
  for (const line of lines(text)) expect(output).toContain(comparable(line));
});

/** The score of a run in MLflow. */
const score = (run: Run, name: string): number => run.metrics.find(({ key }) => key === name)!.value;

test('MLflow has two finished runs, which differ in the learning rate and the path of the model', async () => {
  const client = new MlflowClient({ trackingUri: folder.mlflowUri });
  const experiment = await getExperimentByName(client, 'reviews');
  const runs = await searchRuns(client, { experimentIds: [experiment!.experimentId], orderBy: ['start_time'] });
  expect(runs.map(({ info }) => [info.runName, info.status])).toEqual([
    ['proposed', 'FINISHED'],
    ['slower', 'FINISHED'],
  ]);
  const [proposed, slower] = runs as [Run, Run];
  const differing = Object.keys(proposed.params).filter((key) => proposed.params[key] !== slower.params[key]);
  expect(differing.sort()).toEqual(['model.nemo_path', 'model.optim.lr']);
  expect([proposed, slower].map(({ params }) => Number(params['model.optim.lr']))).toEqual([1e-4, 2e-5]);

  if (!full) return;
  // Each class has about half of the test set.
  expect(score(proposed, 'test/accuracy')).toBeGreaterThan(0.7);
  expect(score(proposed, 'test/accuracy')).toBeGreaterThan(score(slower, 'test/accuracy') + 0.1);
});

test('the misclassified examples are those that the accuracy counts', async () => {
  const rows = lines(await readFile(join(folder.path, 'tmp/tutorial/predictions.jsonl'), 'utf8')).map(
    (line) => JSON.parse(line) as Record<'review' | 'sentiment' | 'predicted_label', string>,
  );
  const errors = rows.filter(({ sentiment, predicted_label }) => sentiment !== predicted_label);
  expect(errors.length).toBeGreaterThan(0);
  const output = printed.join('\n');
  expect(output).toContain(`${errors.length} of ${rows.length} reviews are misclassified`);
  const accuracy = (1 - errors.length / rows.length).toFixed(4);
  expect(output).toContain(`accuracy ${accuracy},`);
  const listed = output.matchAll(/^[\d.]+ (\w+) instead of (\w+): "(.*)"$/gm);
  for (const [, predicted_label, sentiment, review] of listed)
    expect(errors).toContainEqual(expect.objectContaining({ predicted_label, sentiment, review }));
});

test('the end stops the servers', async () => {
  const { exitCode: code, stdout } = await folder.run(`cd tmp/tutorial\n${parts.slice(down).map(typed).join('')}`);
  expect(stdout).toMatch(/worker: stopped/);
  expect(code).toBe(0);
  await expect(fetch(folder.mlflowUri)).rejects.toThrow();
}, 180_000);
