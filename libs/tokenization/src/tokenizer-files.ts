import { isUtf8 } from 'node:buffer';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isJsonObject, type JsonObject } from '@nautil/contracts';
import { parseJson as parseBoundedJson } from '@nautil/contracts/schemas';
import { readWholeFile } from '@nautil/store/streams';
import { TokenizerError } from './errors.js';
import { mostIds } from './largest-tokenizer.js';
import { requireDistinctIds } from './require-distinct-ids.js';
import { serdeFloat } from './serde-float.js';
import { supported } from './supported.js';
import type { TokenizerJson } from './tokenizer-definition.js';
import { requireTokenizerJson } from './tokenizer-schema.js';

/** Checks a parsed tokenizer.json and completes its optional parts. @throws TokenizerError */
export function tokenizerJsonOf(file: string, json: JsonObject): TokenizerJson {
  const { model } = json;
  if (!isJsonObject(model) || typeof model.vocab !== 'object' || model.vocab === null) {
    throw new TokenizerError(`${file} is not a tokenizer.json: it has no model.vocab`, { hint: supported });
  }
  const type = model.type ?? typeOf(model);
  if (typeof type !== 'string' || !['WordPiece', 'BPE', 'Unigram'].includes(type)) {
    const shown = typeof type === 'string' ? type : JSON.stringify(type);
    throw new TokenizerError(`${file}: a tokenizer of type ${shown} is not supported`, { hint: supported });
  }
  const complete = {
    added_tokens: json.added_tokens ?? [],
    normalizer: json.normalizer ?? null,
    pre_tokenizer: json.pre_tokenizer ?? null,
    post_processor: json.post_processor ?? null,
    decoder: json.decoder ?? null,
    model: { ...model, type },
  } as unknown as TokenizerJson;
  requireTokenizerJson(complete, file);
  const { vocab } = complete.model;
  if (Array.isArray(vocab))
    complete.model.vocab = vocab.map(([token, score]): [string, number] => [token, serdeFloat(score)]);
  return complete;
}

function typeOf({ vocab, ...model }: JsonObject): string {
  if (Array.isArray(vocab)) return 'Unigram';
  return 'merges' in model ? 'BPE' : 'WordPiece';
}

/** The lines of a vocab.txt or a merges.txt. @throws TokenizerError when there are more than `most` and a first or last line */
export function linesOf(file: string, text: string, most: number): string[] {
  const lines = text.split(/\r\n|\r|\n/, most + 3);
  if (lines.length <= most + 2) return lines;
  throw new TokenizerError(`${file} has more than ${most} lines, which no tokenizer has`, {
    hint: 'check that this is the right file',
  });
}

/** Parses a vocab.txt: one token per line; the line's index is the id. */
export function parseVocabularyText(file: string, text: string): Map<string, number> {
  const lines = linesOf(file, text, mostIds);
  if (lines.at(-1) === '') lines.pop();
  return new Map(lines.map((token, id) => [token, id]));
}

/** Parses a vocab.json: an object of ids by token. @throws TokenizerError */
export function parseVocabularyJson(file: string, text: string): Map<string, number> {
  const vocabulary = new Map<string, number>();
  for (const [token, id] of Object.entries(parseJson(file, text))) {
    // An id beyond all vocabularies makes tables of that size.
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= mostIds) {
      throw new TokenizerError(
        `${file}: the id of ${JSON.stringify(token)} is not a whole number from 0 to ${mostIds - 1}`,
        { hint: 'the file may be damaged; get it again from the model that it belongs to' },
      );
    }
    vocabulary.set(token, id);
  }
  requireDistinctIds(vocabulary, file);
  return vocabulary;
}

/** XLM-R's tokenizer.json has 17 MB, and XLM-V's has 60. */
const largestFile = 128 << 20;

/** Reads a file of a tokenizer. @throws TokenizerError when it cannot be read, or is far too large */
export async function readBytes(file: string): Promise<Buffer> {
  const unreadable = (error: unknown): never => {
    throw new TokenizerError(`${file} cannot be read`, { hint: 'check the path', cause: error });
  };
  const { size } = await stat(file).catch(unreadable);
  if (size > largestFile) {
    throw new TokenizerError(`${file} has ${size} bytes, more than a tokenizer's file can have (${largestFile})`, {
      hint: 'check that this is the right file',
    });
  }
  return readWholeFile(file).catch(unreadable);
}

/** Reads a text file of a tokenizer. @throws TokenizerError as `readBytes`, and when it is not UTF-8 */
export async function readText(file: string): Promise<string> {
  const bytes = await readBytes(file);
  // A decoder that replaces invalid bytes would merge different tokens into one.
  if (!isUtf8(bytes)) throw new TokenizerError(`${file} is not valid UTF-8`, { hint: 'convert it to UTF-8' });
  return bytes.toString('utf8');
}

export async function readJson(file: string): Promise<JsonObject> {
  return parseJson(file, await readText(file));
}

function parseJson(file: string, text: string): JsonObject {
  try {
    const value: unknown = parseBoundedJson(text);
    if (isJsonObject(value)) return value;
  } catch (error) {
    throw new TokenizerError(`${file} is not valid JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  throw new TokenizerError(`${file} is not a JSON object`);
}

/** Reads a JSON object in a folder; undefined when the file does not exist. @throws TokenizerError */
export async function readFolderJson(folder: string | undefined, name: string): Promise<JsonObject | undefined> {
  const file = await existing(folder, name);
  return file === undefined ? undefined : readJson(file);
}

/** Path of a file in a folder; undefined when it does not exist. */
export async function existing(folder: string | undefined, name: string): Promise<string | undefined> {
  if (folder === undefined) return undefined;
  const file = join(folder, name);
  return (await stat(file).catch(() => undefined))?.isFile() ? file : undefined;
}
