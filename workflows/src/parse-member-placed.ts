import { type MemberPlaced, parseMemberAddress } from '@nautil/contracts';
import { InvalidValue, object, type Parser, text, wholeNumberFrom } from './json-parsers.js';

/** The addresses become a part of TensorFlow's cluster, and decide whose connections the members accept. */
const address: Parser<string> = (value, name) => {
  const found = text(value, name);
  if (parseMemberAddress(found) !== undefined) return found;
  throw new InvalidValue(`${name} is ${JSON.stringify(found.slice(0, 80))}, not host:port`);
};

/** A SHA-256 in hexadecimal digits. */
const signature: Parser<string> = (value, name) => {
  const found = text(value, name);
  if (/^[0-9a-f]{64}$/.test(found)) return found;
  throw new InvalidValue(`${name} is not a signature`);
};

/** Checks the payload of a `member` signal. @throws InvalidValue */
export const parseMemberPlaced: Parser<MemberPlaced> = object(
  { token: text, index: wholeNumberFrom(0), address },
  { signature },
);
