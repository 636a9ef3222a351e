import { Type } from '@sinclair/typebox';

/** The token of the next page, as a property of a response's schema. */
export const nextPageToken = Type.Optional(Type.String());

const pageSize = 1000;

/** Follows page tokens until there are no more pages, or `limit` items have been collected. */
export async function allPages<T>(
  limit: number | undefined,
  fetchPage: (page: { max_results: number; page_token?: string }) => Promise<{
    items: readonly T[];
    next: string | undefined;
  }>,
): Promise<T[]> {
  const wanted = limit ?? Infinity;
  const all: T[] = [];
  let token: string | undefined;
  do {
    const max_results = Math.min(pageSize, wanted - all.length);
    const { items, next } = await fetchPage({ max_results, ...(token ? { page_token: token } : {}) });
    for (const item of items) all.push(item);
    token = next;
  } while (token && all.length < wanted);
  return all;
}
