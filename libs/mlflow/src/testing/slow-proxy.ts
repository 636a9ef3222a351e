import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A proxy that delays the responses of a server and counts how many requests wait at the same time. */
export class SlowProxy {
  /** What happens to the next requests, one entry each; later ones get `delayMs`. The server processes all of them. */
  readonly next: { delayMs?: number; hangUp?: boolean }[] = [];
  delayMs: number;
  mostAtOnce = 0;
  answered = 0;
  readonly #target: URL;
  readonly #server: Server;
  readonly #closing = new AbortController();
  #atOnce = 0;

  private constructor(target: string, delayMs: number) {
    this.#target = new URL(target);
    this.delayMs = delayMs;
    this.#server = createServer((incoming, response) => void this.#forward(incoming, response));
  }

  static async start(target: string, delayMs: number): Promise<SlowProxy> {
    const proxy = new SlowProxy(target, delayMs);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Also ends the delays, which would keep the test's process alive. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #forward(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
    const { delayMs = this.delayMs, hangUp } = this.next.shift() ?? {};
    try {
      const { hostname, port } = this.#target;
      const headers = { ...incoming.headers, host: this.#target.host };
      const forwarded = request({ hostname, port, path: incoming.url, method: incoming.method, headers });
      incoming.pipe(forwarded);
      const upstream = await new Promise<IncomingMessage>((resolve, reject) => {
        forwarded.once('response', resolve);
        forwarded.once('error', reject);
      });
      await sleep(delayMs, undefined, { signal: this.#closing.signal });
      if (hangUp) return void response.destroy();
      response.writeHead(upstream.statusCode ?? 502, upstream.headers);
      upstream.pipe(response);
      this.answered++;
    } catch {
      response.destroy();
    } finally {
      this.#atOnce--;
    }
  }
}
