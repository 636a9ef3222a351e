import type { SweepResult, TrialRow } from '@nautil/contracts';
import { type Column, layOutTable } from '@nautil/metrics';

const left = (title: string): Column => ({ title, align: 'left' });
const right = (title: string): Column => ({ title, align: 'right' });

/**
 * The table of a sweep, the best trial first: a column for each key that varies, the scores, and the state.
 *
 * @param o.width - terminal cells that are available; default: any number
 */
export function formatSweep(
  { objective, rows }: Pick<SweepResult, 'objective' | 'rows'>,
  o: { width?: number } = {},
): string {
  const keys = [...new Set(rows.flatMap(({ overrides }) => overrides.map(keyOf)))];
  const columns = [
    right('trial'),
    ...keys.map((key) => ({ ...left(key), short: shortKey(key, keys) })),
    right(objective),
    { ...right('accuracy'), optional: 2 },
    { ...right('macro F1'), optional: 1 },
    { ...right('loss'), optional: 3 },
    left('state'),
  ];
  const cells = rows.map((row) => [
    String(row.number),
    ...keys.map((key) => valueIn(row, key)),
    ...[row.objective, row.accuracy, row.f1Macro, row.loss].map((score) => score?.toFixed(4) ?? ''),
    row.failure ? `${row.state}: ${row.failure.type}` : row.state,
  ]);
  return layOutTable(columns, cells, o);
}

/** The last part of a key, unless two keys end in the same one. */
function shortKey(key: string, keys: readonly string[]): string {
  const lastOf = (one: string): string => one.split('.').at(-1) ?? one;
  return keys.filter((one) => lastOf(one) === lastOf(key)).length === 1 ? lastOf(key) : key;
}

const keyOf = (override: string): string =>
  override
    .split('=', 1)
    .join('')
    .replace(/^[+~]+/, '');

/** The value of a key in a trial; for a deleted key the override itself. */
function valueIn({ overrides }: TrialRow, key: string): string {
  const override = overrides.find((text) => keyOf(text) === key) ?? '';
  return override.includes('=') ? override.slice(override.indexOf('=') + 1) : override;
}
