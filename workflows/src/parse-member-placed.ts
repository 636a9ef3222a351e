import type { MemberPlaced } from '@nautil/contracts';
import { InvalidValue, object, type Parser, text, wholeNumberFrom } from './json-parsers.js';

/** `host:port`, `[ipv6]:port`. The addresses become a part of TensorFlow's cluster. */
const address: Parser<string> = (value, name) => {
  const found = text(value, name);
  if (found.length <= 300 && /^(\[[0-9a-fA-F:.%]+\]|[^\s:/[\]]+):\d{1,5}$/.test(found)) return found;
  throw new InvalidValue(`${name} is ${JSON.stringify(found.slice(0, 80))}, not host:port`);
};

/** Checks the payload of a `member` signal. @throws InvalidValue */
export const parseMemberPlaced: Parser<MemberPlaced> = object({ token: text, index: wholeNumberFrom(0), address }, {});
