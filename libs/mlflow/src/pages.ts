/** The part of an answer that says where the next one begins. */
export interface WirePage {
  next_page_token?: string;
}

const pageSize = 1000;

/** Follows page tokens until there are no more, or `limit` items are together. */
export async function allPages<T>(
  limit: number | undefined,
  fetchPage: (page: { max_results: number; page_token?: string }) => Promise<{ items: T[]; next?: string | undefined }>,
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
