import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { clearColumns } from './clear-columns.js';
import type { Questions } from './questions.js';

const rows = Array.from({ length: 60 }, (_, i) =>
  [
    1000 + i,
    `2025-01-${String(1 + (i % 9)).padStart(2, '0')}`,
    `the message number ${i}`,
    i % 3,
    `agent ${i % 7}`,
    'en',
  ].join(','),
);
const tickets = ['ticket_id,created,message,queue,agent,language', ...rows, ''].join('\n');

/** Answers the questions in turn; an answer of undefined takes the one that the cursor is on. */
async function asked(answers: (string | boolean | undefined)[], flags = {}) {
  const questions: string[] = [];
  const next = <T extends string | boolean>(question: string, usual: T): Promise<T> => {
    questions.push(question);
    return Promise.resolve((answers.shift() ?? usual) as T);
  };
  const person: Questions = {
    choose: (question, options) => next(question, options[0]?.value ?? ''),
    confirm: (question) => next(question, false),
    type: (question) => next(question, ''),
  };
  const columns = await withFolder({}, async (folder) => {
    const file = join(folder, 'tickets.csv');
    writeFileSync(file, tickets);
    return clearColumns({ paths: { train: [file] }, isNemo: false, isFile: true, isLocal: true }, flags, person);
  });
  return { columns, questions };
}

test('only the column that is unclear is asked for, and the cursor is on the most plausible one', async () => {
  const { columns, questions } = await asked([]);
  expect(questions).toEqual(['Which column has the labels?']);
  expect(columns.label).toBe('queue');
  expect(columns.text).toBeUndefined();
});

test.each([
  ['created', /has dates/],
  ['ticket_id', /has 60 different values in 60 rows/],
  ['language', /has the same value in all rows/],
])('the column %s is no column of labels unless the person insists', async (name, doubt) => {
  const { columns, questions } = await asked([name, false, 'agent']);
  expect(questions[1]).toMatch(doubt);
  expect(columns.label).toBe('agent');
});

test('a column that the user names is not asked for again', async () => {
  await expect(asked([], { labelColumn: 'ticket_id' })).rejects.toThrow(/60 different values/);
  expect((await asked([], { labelColumn: 'agent' })).questions).toEqual([]);
});
