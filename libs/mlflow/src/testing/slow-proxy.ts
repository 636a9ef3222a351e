import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Stands before a server and holds its answers back; counts how many requests wait at the same time. */
export class SlowProxy {
  /** What happens to the next requests, one each; then `delayMs` holds for all. The server has done them either way. */
  readonly next: { delayMs?: number; hangUp?: boolean }[] = [];
  delayMs: number;
  mostAtOnce = 0;
  answered = 0;
  readonly #target: URL;
  readonly #server: Server;
  #atOnce = 0;

  private constructor(target: string, delayMs: number) {
    this.#target = new URL(target);
    this.delayMs = delayMs;
    this.#server = createServer((asked, answer) => void this.#pass(asked, answer));
  }

  static async start(target: string, delayMs: number): Promise<SlowProxy> {
    const proxy = new SlowProxy(target, delayMs);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #pass(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
    const { delayMs = this.delayMs, hangUp } = this.next.shift() ?? {};
    try {
      const { hostname, port } = this.#target;
      const headers = { ...asked.headers, host: this.#target.host };
      const passed = request({ hostname, port, path: asked.url, method: asked.method, headers });
      asked.pipe(passed);
      const done = await new Promise<IncomingMessage>((resolve, reject) => {
        passed.once('response', resolve);
        passed.once('error', reject);
      });
      await sleep(delayMs);
      if (hangUp) return void answer.destroy();
      answer.writeHead(done.statusCode ?? 502, done.headers);
      done.pipe(answer);
      this.answered++;
    } catch {
      answer.destroy();
    } finally {
      this.#atOnce--;
    }
  }
}
