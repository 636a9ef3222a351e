import protobuf from 'protobufjs';
import { TokenizerError } from './errors.js';
import { mostIds } from './largest-tokenizer.js';

/** `SentencePiece.Type` of the special pieces. */
export const pieceTypes = { control: 3, userDefined: 4 } as const;

const normalPiece = 1;

/** `TrainerSpec.ModelType`. */
const modelTypes: Readonly<Record<number, SentencePieceModel['type']>> = {
  1: 'unigram',
  2: 'bpe',
  3: 'word',
  4: 'char',
};

/** One of a SentencePiece model's pieces. Its place in the list is its id there. */
interface SentencePiece {
  piece: string;

  /** Log probability. */
  score: number;
  type: number;
}

/** What a tokenizer needs of a SentencePiece model (`spiece.model` and the like). */
export interface SentencePieceModel {
  type: 'unigram' | 'bpe' | 'word' | 'char' | undefined;
  pieces: SentencePiece[];
  unknownId: number;

  /** Empty for a model that does not normalize. */
  charsmap: Uint8Array;
}

/** What a field of a message is read into, by its number in sentencepiece_model.proto. Other fields are skipped. */
type Fields = Readonly<Record<number, (reader: protobuf.Reader) => void>>;

/**
 * Parses a `ModelProto` of SentencePiece (https://github.com/google/sentencepiece, src/sentencepiece_model.proto).
 *
 * @param source - the file, for messages
 * @throws TokenizerError when the bytes are damaged, or no model
 */
export function parseSentencePieceModel(bytes: Uint8Array, source: string): SentencePieceModel {
  const model: SentencePieceModel = { type: 'unigram', pieces: [], unknownId: 0, charsmap: new Uint8Array() };
  const trainer: Fields = {
    3: (reader) => (model.type = modelTypes[reader.int32()]),
    40: (reader) => (model.unknownId = reader.int32()),
  };
  const normalizer: Fields = { 2: (reader) => (model.charsmap = reader.bytes()) };
  const fields: Fields = {
    1: (reader) => {
      if (model.pieces.length === mostIds) throw new RangeError(`it has more than ${mostIds} pieces`);
      model.pieces.push(readPiece(reader));
    },
    2: (reader) => readMessage(reader, trainer),
    3: (reader) => readMessage(reader, normalizer),
  };
  try {
    const reader = protobuf.Reader.create(bytes);
    readFields(reader, bytes.length, fields);
    if (model.pieces.length === 0) throw new RangeError('it has no pieces');
    return model;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TokenizerError(`${source} is not a SentencePiece model: ${reason}`, {
      hint: 'the file may be damaged, or a Git LFS pointer; get it again from the model that it belongs to',
      cause: error,
    });
  }
}

function readPiece(reader: protobuf.Reader): SentencePiece {
  const piece: SentencePiece = { piece: '', score: 0, type: normalPiece };
  readMessage(reader, {
    1: () => (piece.piece = reader.string()),
    2: () => (piece.score = reader.float()),
    3: () => (piece.type = reader.int32()),
  });
  if (!Number.isFinite(piece.score)) throw new RangeError(`the score of ${JSON.stringify(piece.piece)} is no number`);
  return piece;
}

/** Reads a message that its length precedes. */
function readMessage(reader: protobuf.Reader, fields: Fields): void {
  const length = reader.uint32();
  readFields(reader, reader.pos + length, fields);
}

function readFields(reader: protobuf.Reader, end: number, fields: Fields): void {
  if (end > reader.len) throw new RangeError('a message goes beyond the end of the file');
  while (reader.pos < end) {
    const tag = reader.uint32();
    const read = fields[tag >>> 3];
    if (read === undefined) skip(reader, tag & 7);
    else read(reader);
  }
  if (reader.pos > end) throw new RangeError('a field goes beyond the end of its message');
}

/** NOTE: a group (3) would be skipped recursively, to any depth. SentencePiece has none. */
function skip(reader: protobuf.Reader, wireType: number): void {
  if (wireType === 3 || wireType === 4) throw new RangeError(`field of wire type ${wireType}`);
  reader.skipType(wireType);
}
