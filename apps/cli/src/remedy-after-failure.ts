import type { ErrorKind } from '@nautil/contracts';

/** A failure that ended a run or a sweep. */
export interface EndedBy {
  type: string;
  kind: ErrorKind;
  hint: string | undefined;
  noun: 'run' | 'sweep';
  workflowId: string;
}

/** What the user does next, once the cause is known: the last line of the hint of a failed run or sweep. */
export function remedyAfterFailure({ type, kind, hint, noun, workflowId }: EndedBy): string {
  const setting = changedSetting(hint ?? '');
  const resume = `npx nautil resume ${workflowId}`;
  if (startsAnew(type, kind)) return `then start the ${noun} again`;
  const continues = `then \`${resume}\` continues the ${noun}`;
  if (setting === undefined) return continues;
  // A sweep is resumed without overrides.
  if (noun === 'sweep') return kind === 'training' ? 'then start the sweep again' : continues;
  // The same settings make a training fail in the same way.
  return kind === 'training'
    ? `\`${resume} ${setting}\` repeats the run with that setting`
    : `${continues}; \`${resume} ${setting}\` continues it with that setting`;
}

/** Whether `resume` would fail in the same way, because it repeats the configuration or needs the folder of the run. */
const startsAnew = (type: string, kind: ErrorKind): boolean =>
  kind === 'config' || kind === 'usage' || type === 'RunFolderMissing';

/** A key of the configuration in a hint, with the value that the hint proposes. Files, such as `model.safetensors`, are no keys. */
const settings =
  /(?<![\w./-])(?<key>(?:trainer|exp_manager|nautil\.[a-z]\w*|model\.[a-z]\w*)\.[a-z]\w*(?:\.[a-z]\w*)*)(?:(?:=| to (?:at most )?)(?<value>-?\d[\w.+-]*\w|-?\d|true|false|null)\b)?/g;

/** The override that a hint proposes: the first with a value, else the first key, whose value the user chooses. */
function changedSetting(hint: string): string | undefined {
  const found = [...hint.matchAll(settings)].map(({ groups }) => ({ key: groups?.['key'], value: groups?.['value'] }));
  const { key, value = 'VALUE' } = found.find((one) => one.value !== undefined) ?? found[0] ?? {};
  return key && `${key}=${value}`;
}
