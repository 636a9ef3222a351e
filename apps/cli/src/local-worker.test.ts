import { expect, test } from '@jest/globals';
import { localWorker } from './local-worker.js';
import { workingFolder } from './working-folder.js';

test('the working folder of a worker that `up` starts is the one in which `up` was typed', () => {
  const before = process.env['INIT_CWD'];
  delete process.env['INIT_CWD'];
  try {
    expect(localWorker('nautil').env).toMatchObject({ INIT_CWD: workingFolder() });
  } finally {
    if (before !== undefined) process.env['INIT_CWD'] = before;
  }
});
