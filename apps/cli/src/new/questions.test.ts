import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { Interrupted } from '@nautil/contracts';
import { type Questions, questionsOn } from './questions.js';

/** Types keys on a terminal. Returns the answer, and what the terminal shows. */
async function typed<T>(
  keys: readonly string[],
  ask: (questions: Questions) => Promise<T>,
  size: { columns?: number } = {},
): Promise<{ answer: T; shown: string }> {
  const [input, output] = [new PassThrough(), new PassThrough()];
  let shown = '';
  output.setEncoding('utf8').on('data', (text: string) => (shown += text));
  const terminal: PassThrough & { isTTY: boolean } = Object.assign(input, { isTTY: true, setRawMode: () => terminal });
  const questions = questionsOn({ input: terminal, output: Object.assign(output, { isTTY: true, ...size }) });
  const answer = ask(questions!);
  answer.catch(() => undefined);
  for (const key of keys) {
    await sleep(20);
    input.write(key);
  }
  return { answer: await answer, shown };
}

const [down, enter, esc] = ['\x1b[B', '\r', '\x1b'];

test('an answer is chosen with the arrow keys', async () => {
  const answers = [
    { value: 'title', hint: 'Great' },
    { value: 'body', hint: 'I liked it' },
  ];
  const { answer, shown } = await typed([down, enter], (questions) => questions.choose('Which column?', answers));
  expect(answer).toBe('body');
  expect(shown).toContain('Which column?');
  expect(shown).toContain('I liked it');
});

test('an answer is chosen by its name, and each one shows a sample', async () => {
  const answers = [
    { value: 'ticket_id', sample: '1000 | 1001' },
    { value: 'queue', sample: 'Billing | Login' },
  ];
  const { answer, shown } = await typed(['queue', enter], (questions) => questions.choose('Which column?', answers));
  expect(answer).toBe('queue');
  expect(shown).toContain('1000 | 1001');
  expect(shown).toContain('Billing | Login');
});

test('nothing is replaced unless the person says so', async () => {
  const ask = (questions: Questions): Promise<boolean> => questions.confirm('Replace it?');
  expect((await typed([enter], ask)).answer).toBe(false);
  expect((await typed(['y'], ask)).answer).toBe(true);
});

test('a text is typed, and an empty one is asked for again', async () => {
  const { answer } = await typed([enter, 'a.csv', enter], (questions) => questions.type('Which file?'));
  expect(answer).toBe('a.csv');
});

test.each([
  ['Escape', esc],
  ['Ctrl-C', '\x03'],
])('%s ends the program', async (_, key) => {
  await expect(typed([key], (questions) => questions.type('Which file?'))).rejects.toThrow(Interrupted);
});

test('on a terminal of unknown size, a question is one line', async () => {
  const { shown } = await typed(['a', enter], (questions) => questions.type('Which file or folder has the texts?'), {
    columns: 0,
  });
  expect(shown).toContain('Which file or folder has the texts?');
});

test('without a terminal, there are no questions', () => {
  expect(
    questionsOn({ input: new PassThrough(), output: Object.assign(new PassThrough(), { isTTY: true }) }),
  ).toBeUndefined();
});
