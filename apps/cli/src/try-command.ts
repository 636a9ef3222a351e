import { relative } from 'node:path';
import { nautilCommand, shellWord } from '@nautil/contracts';
import { workingFolder } from './working-folder.js';

/** A path as it is typed in the working folder, unless that is longer. */
export function typedPath(path: string): string {
  const fromHere = relative(workingFolder(), path);
  return fromHere.length < path.length && !fromHere.startsWith('../..') ? fromHere : path;
}

/** The command that classifies a text with an archive. */
export const tryCommand = (archive: string, text = 'a text to classify'): string =>
  `echo ${shellWord(text)} | ${nautilCommand('predict', '--model', typedPath(archive), '--input', '-')}`;
