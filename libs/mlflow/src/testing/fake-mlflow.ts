import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

interface ReceivedRow {
  key: string;
  value: number;
  step: number;
  timestamp: number;
}

/** What a server has: the key of its run, if it has one, and each row once. */
export interface Received {
  runKey: string | undefined;
  rows: ReceivedRow[];
}

interface Body {
  tags?: { key: string; value: string }[];
  metrics?: ReceivedRow[];
}

/** A server with one experiment and at most one run, on which nothing has to be installed. */
export class FakeMlflow {
  readonly received: Received;
  readonly #server: Server;
  readonly #onChange: ((received: Received) => void) | undefined;

  private constructor(received: Received, onChange?: (received: Received) => void) {
    this.received = received;
    this.#onChange = onChange;
    this.#server = createServer((request, response) => {
      void text(request).then((body) => {
        const content = this.#answer(request.url ?? '', body === '' ? {} : (JSON.parse(body) as Body));
        response.setHeader('content-type', 'application/json').end(JSON.stringify(content));
      });
    });
  }

  /** @param onChange - called before the server acknowledges what it has received */
  static async start(received: Received, onChange?: (received: Received) => void): Promise<FakeMlflow> {
    const fake = new FakeMlflow(received, onChange);
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get trackingUri(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(url: string, { tags = [], metrics = [] }: Body): object {
    const call = url.replace(/^.*\/mlflow\//, '').replace(/\?.*$/, '');
    const { received } = this;
    switch (call) {
      case 'experiments/get-by-name':
        return { experiment: { experiment_id: '1', lifecycle_stage: 'active' } };
      case 'runs/search':
        return { runs: received.runKey === undefined ? [] : [run] };
      case 'runs/create':
        if (received.runKey !== undefined) throw new Error('a second run is created');
        received.runKey = tags.map(({ value }) => value).join(' ');
        break;
      case 'runs/log-batch': {
        const known = new Set(received.rows.map(nameOf));
        for (const row of metrics) if (!known.has(nameOf(row))) received.rows.push(row);
        break;
      }
    }
    this.#onChange?.(received);
    return { run, run_info: run.info };
  }
}

const nameOf = ({ key, value, step, timestamp }: ReceivedRow): string => JSON.stringify([key, value, step, timestamp]);

const run = {
  info: {
    run_id: 'run',
    experiment_id: '1',
    status: 'RUNNING',
    artifact_uri: 'mlflow-artifacts:/1',
    lifecycle_stage: 'active',
  },
  data: {},
};
