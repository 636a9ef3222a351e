import { Type } from '@sinclair/typebox';
import { ResponseTooLarge } from '@nautil/store/http';

/** The token of the next page, as a property of a response's schema. */
export const nextPageToken = Type.Optional(Type.String());

const pageSize = 1000;

/** A million items. A server that never stops would otherwise fill the memory. */
const mostPages = 1000;

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
  let pages = 0;
  do {
    if (++pages > mostPages) {
      throw new ResponseTooLarge(`MLflow's response has more than ${mostPages} pages`, {
        hint: 'this may be another server than you think: check MLFLOW_TRACKING_URI',
      });
    }
    const max_results = Math.min(pageSize, wanted - all.length);
    const { items, next } = await fetchPage({ max_results, ...(token ? { page_token: token } : {}) });
    for (const item of items) all.push(item);
    token = next;
  } while (token && all.length < wanted);
  return all;
}
