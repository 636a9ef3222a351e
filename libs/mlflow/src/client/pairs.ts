import { type Static, Type } from '@sinclair/typebox';

/** MLflow's maps are lists of pairs; it leaves out empty lists. */
export const pairList = Type.Optional(Type.Array(Type.Object({ key: Type.String(), value: Type.String() })));

export const toPairs = (record: Readonly<Record<string, string>>): { key: string; value: string }[] =>
  Object.entries(record).map(([key, value]) => ({ key, value }));

export const fromPairs = (pairs: Static<typeof pairList> = []): Record<string, string> =>
  Object.fromEntries(pairs.map(({ key, value }) => [key, value]));
