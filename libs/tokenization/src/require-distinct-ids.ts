import { TokenizerError } from './errors.js';

/**
 * Two tokens with one id would be the same word to the model, and the id could not be converted back.
 *
 * @param source - the file, for messages
 * @throws TokenizerError naming both tokens
 */
export function requireDistinctIds(tokens: Iterable<readonly [token: string, id: number]>, source: string): void {
  const byId = new Map<number, string>();
  for (const [token, id] of tokens) {
    const other = byId.get(id);
    if (other !== undefined && other !== token) {
      throw new TokenizerError(
        `${source}: the tokens ${JSON.stringify(other)} and ${JSON.stringify(token)} have the same id, ${id}`,
        { hint: 'the file may be damaged; get it again from the model that it belongs to' },
      );
    }
    byId.set(id, token);
  }
}
