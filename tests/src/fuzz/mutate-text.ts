import type { Random } from '@nautil/formats/testing/mutate';

/** Pieces that mean something in YAML, in overrides, in TSV or in vocabularies. */
const pieces = [
  ...'[ ] { } ( ) , : = ~ + ++ @ / | > ? # % * &'.split(' '),
  ...[': ', '- ', '"', "'", '\\', '\t', '\n', '\r', ' ', '\u0000', '\u2028', '\ufeff', '\u001b[2J', '😀', '\ud83d'],
  ...[
    '&a ',
    '*a',
    '<<: *a\n',
    '<<: ',
    '!!binary ',
    '!!python/object:os.system ',
    '---\n',
    '...\n',
    '? ',
    '%YAML 9.9\n',
  ],
  ...'${ ${a} ${.a} ${model} ${oc.env:HOME} ${oc.decode: ${oc.create: ??? null .nan .inf'.split(' '),
  ...'1e999 -1 99999999999999999999 0x 0b1 1:60 true choice( range(0,1e300) interval( tag('.split(' '),
  ...['defaults:\n  - data: sst2\n', '_self_', 'a'.repeat(300), '##', '[UNK]'],
];

/** Makes one to four changes to the lines and characters of a text. */
export function mutateText(original: string, random: Random): Buffer {
  let text = original;
  for (let faults = 1 + random(4); faults > 0; faults--) text = change(text, random);
  const bytes = Buffer.from(text);
  // Bytes that are not UTF-8.
  if (random(20) === 0 && bytes.length > 0) bytes[random(bytes.length)] = 0x80 + random(0x80);
  return bytes;
}

function change(text: string, random: Random): string {
  const at = random(text.length + 1);
  const piece = pieces[random(pieces.length)] ?? '';
  switch (random(9)) {
    case 0:
      return text.slice(0, at) + text.slice(at + 1 + random(20));
    case 1:
      return text.slice(0, at) + piece.repeat(2 + random(2000)) + text.slice(at);
    case 2:
      return text.slice(0, at) + text.slice(at, at + 200).repeat(1 + random(50)) + text.slice(at);
    case 3:
      return text.slice(0, at);
    case 4:
      return onLines(text, random, (lines, line) => lines.splice(line, 1));
    case 5:
      return onLines(text, random, (lines, line) => lines.splice(line, 0, ` ${lines[line] ?? ''}`));
    case 6:
      return onLines(text, random, (lines, line) => (lines[line] = withValue(lines[line] ?? '', piece)));
    default:
      return text.slice(0, at) + piece + text.slice(at + random(3));
  }
}

/** Replaces what follows the last colon or equals sign. */
function withValue(line: string, value: string): string {
  return `${line.slice(0, Math.max(line.lastIndexOf(':'), line.lastIndexOf('=')) + 1)} ${value}`;
}

function onLines(text: string, random: Random, edit: (lines: string[], line: number) => void): string {
  const lines = text.split('\n');
  edit(lines, random(lines.length));
  return lines.join('\n');
}
