import { type ErrorKind, nautilCommand, shellWord } from '@nautil/contracts';

/** A failure that ended a run or a sweep. */
export interface EndedBy {
  type: string;
  kind: ErrorKind;
  /** The override that the hint proposes. */
  setting: string | undefined;
  noun: 'run' | 'sweep';
  workflowId: string;
}

/** What the user does next, once the cause is known: the last line of the hint of a failed run or sweep. */
export function remedyAfterFailure({ type, kind, setting, noun, workflowId }: EndedBy): string {
  const resume = nautilCommand('resume', workflowId);
  if (startsAnew(type, kind)) return `then start the ${noun} again`;
  const continues = `then \`${resume}\` continues the ${noun}`;
  if (setting === undefined) return continues;
  // A sweep is resumed without overrides.
  if (noun === 'sweep') return kind === 'training' ? 'then start the sweep again' : continues;
  // The same settings make a training fail in the same way.
  return kind === 'training'
    ? `\`${resume} ${shellWord(setting)}\` repeats the run with that setting`
    : `${continues}; \`${resume} ${shellWord(setting)}\` continues it with that setting`;
}

/** Whether `resume` would fail in the same way, because it repeats the configuration or needs the folder of the run. */
const startsAnew = (type: string, kind: ErrorKind): boolean =>
  kind === 'config' || kind === 'usage' || type === 'RunFolderMissing';
