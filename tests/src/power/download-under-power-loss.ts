import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { sha256Of } from '@nautil/store';
import { fetchFile } from '@nautil/store/download';

const content = Buffer.from(Array.from({ length: 60_000 }, (_, i) => 1 + ((i * 31) % 251)));

/** A server that ends the first connections after 25,000 bytes. */
async function serve(cuts: number): Promise<{ server: Server; url: string; ranges: (string | undefined)[] }> {
  const ranges: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    const { range } = request.headers;
    const start = Number(/\d+/.exec(range ?? '')?.[0] ?? 0);
    const isCut = ranges.push(range) <= cuts;
    const size = content.length;
    response.writeHead(range === undefined ? 200 : 206, {
      etag: '"one"',
      'content-length': size - start,
      'content-range': `bytes ${start}-${size - 1}/${size}`,
    });
    if (isCut) response.write(content.subarray(start, start + 25_000), () => setTimeout(() => response.destroy(), 100));
    else response.end(content.subarray(start));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`, ranges };
}

const fileIn = (folder: string): string => join(folder, 'downloads', 'file');

/** Downloads a file without a digest, over two connections. */
export async function writeDownload(folder: string, mark: (text: string) => void): Promise<void> {
  const { server, url } = await serve(1);
  await fetchFile({ url, to: fileIn(folder), home: folder, attempts: 2, backoffMs: 5 });
  mark('downloaded');
  server.close();
}

/** After a reboot, the download must continue, or be complete, with the right content, which no digest would reveal. */
export async function checkDownload(folder: string, marks: readonly string[]): Promise<string> {
  const to = fileIn(folder);
  if (marks.includes('downloaded') || existsSync(to)) {
    if (!readFileSync(to).equals(content)) throw new Error(`${to} has other content`);
    return 'complete';
  }
  const { server, url, ranges } = await serve(0);
  try {
    afterReboot(`${to}.incomplete.json`, url);
    await fetchFile({ url, to, home: dirname(to), attempts: 1 });
  } finally {
    server.close();
    server.closeAllConnections();
  }
  if (!readFileSync(to).equals(content)) throw new Error(`${to} has other content after ${ranges.join(', ')}`);
  return ranges[0] === undefined ? 'started over' : 'resumed';
}

/** Changes what is known about a download as if the machine had been started again, and the server had kept its address. */
function afterReboot(origin: string, url: string): void {
  if (!existsSync(origin)) return;
  const known = JSON.parse(readFileSync(origin, 'utf8')) as { writer: string };
  const writer = known.writer.replace(/^.{16}/, '0'.repeat(16));
  writeFileSync(origin, JSON.stringify({ ...known, writer, urlDigest: sha256Of(url) }));
}
