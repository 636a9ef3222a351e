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

test('MLflow has two finished runs, which differ in the learning rate', async () => {
  const client = new MlflowClient({ trackingUri: folder.mlflowUri });
  const experiment = await getExperimentByName(client, 'reviews');
  const runs = await searchRuns(client, { experimentIds: [experiment!.experimentId], orderBy: ['start_time'] });
  expect(runs.map(({ info }) => [info.runName, info.status])).toEqual([
    ['proposed', 'FINISHED'],
    ['slower', 'FINISHED'],
  ]);
  const [proposed, slower] = runs as [Run, Run];
  const differing = Object.keys(proposed.params).filter((key) => proposed.params[key] !== slower.params[key]);
  expect(differing.sort()).toEqual(['model.optim.lr']);
  expect([proposed, slower].map(({ params }) => Number(params['model.optim.lr']))).toEqual([1e-4, 2e-5]);

  if (!full) return;
  // Each class has about half of the test set.
  expect(score(proposed, 'test/accuracy')).toBeGreaterThan(0.7);
  expect(score(proposed, 'test/accuracy')).toBeGreaterThan(score(slower, 'test/accuracy') + 0.1);
});

test('the misclassified examples are those that the accuracy counts, and the predictions agree with them', async () => {
  const read = (name: string): Promise<string> => readFile(join(folder.path, 'tmp/tutorial', name), 'utf8');
  const mistakes = lines(await read('errors.jsonl')).map(
    (line) => JSON.parse(line) as { label: string; predicted_label: string; text: string },
  );
  const examples = lines(await read('test.csv')).length - 1;
  expect(mistakes.length).toBeGreaterThan(0);
  for (const { label, predicted_label } of mistakes) expect(predicted_label).not.toBe(label);

  const output = printed.join('\n');
  const accuracy = (1 - mistakes.length / examples).toFixed(4);
  expect(output).toMatch(new RegExp(`^test loss .*accuracy ${accuracy}, .*on ${examples} examples of `, 'm'));
  const counts = [...output.matchAll(/^(\d+) \w+ reviews are misclassified$/gm)].map(([, count]) => Number(count));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(mistakes.length);

  const different = lines(await read('predictions.csv')).filter((line) => {
    const [, label, prediction] = /,(negative|positive),(negative|positive),[\d.]+$/.exec(line) ?? [];
    return label !== prediction;
  });
  // `evaluate` computes as the run did, in bfloat16 where the processor has it, and `predict` in float32.
  expect(Math.abs(different.length - mistakes.length)).toBeLessThanOrEqual(0.02 * examples);
});

test('the end stops the servers', async () => {
  const { exitCode: code, stdout } = await folder.run(`cd tmp/tutorial\n${parts.slice(down).map(typed).join('')}`);
  expect(stdout).toMatch(/worker: stopped/);
  expect(code).toBe(0);
  await expect(fetch(folder.mlflowUri)).rejects.toThrow();
}, 180_000);
