/**
 * The lines of a stream of UTF-8, each ended by \n or \r\n alone: a TAB, a lone \r, U+2028 and U+0085 are text (Node's
 * readline takes some of them for line ends). A last line without an end counts; a byte-order mark at the start does not.
 */
export async function* textLines(stream: AsyncIterable<Uint8Array | string>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    rest += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop()!;
    for (const line of lines) yield withoutReturn(line);
  }
  rest += decoder.decode();
  if (rest !== '') yield withoutReturn(rest);
}

const withoutReturn = (line: string): string => (line.endsWith('\r') ? line.slice(0, -1) : line);
