import { root, runProgram } from './run-program.js';

/** Lints texts as if they stood in the files that are named. Returns `rule: message` for each problem of each text. */
export async function lintTexts(texts: readonly (readonly [file: string, text: string])[]): Promise<string[][]> {
  const { stdout, stderr } = await runProgram(process.execPath, [`${root}/tools/src/testing/lint-process.mjs`], {
    input: JSON.stringify(texts),
    env: { NX_DAEMON: 'false' },
  });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as string[][];
}
