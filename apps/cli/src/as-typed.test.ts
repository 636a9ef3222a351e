import { afterEach, expect, jest, test } from '@jest/globals';

const folders = await import('@nautil/store/folders');
jest.unstable_mockModule('@nautil/store/folders', () => ({ ...folders, isCheckout: () => false }));
const { printMessage, printResult } = await import('./output.js');

afterEach(() => {
  jest.restoreAllMocks();
});

test('outside a checkout, results and messages name commands without npx, which could run an unrelated package', async () => {
  const written: string[] = [];
  for (const stream of [process.stdout, process.stderr])
    jest.spyOn(stream, 'write').mockImplementation((text) => {
      written.push(String(text));
      return true;
    });
  await printResult('`npx nautil verify x.nemo` shows every check', '✗ ');
  printMessage('`npx nautil up` starts one');
  expect(written).toEqual(['✗ `nautil verify x.nemo` shows every check\n', '`nautil up` starts one\n']);
});
