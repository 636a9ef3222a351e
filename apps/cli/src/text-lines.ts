/**
 * The lines of a UTF-8 stream. Only \n and \r\n end a line: a tab, a lone \r, U+2028 and U+0085 belong to the text, although
 * Node's readline splits at some of them. The last line may lack a line ending; a byte-order mark at the start is dropped.
 */
export async function* textLines(stream: AsyncIterable<Uint8Array | string>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    rest += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield withoutReturn(line);
  }
  rest += decoder.decode();
  if (rest !== '') yield withoutReturn(rest);
}

const withoutReturn = (line: string): string => (line.endsWith('\r') ? line.slice(0, -1) : line);
