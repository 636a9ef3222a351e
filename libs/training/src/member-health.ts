import { connect } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';

/** Pause between two rounds of questions. */
const pauseMs = 1000;

/** How long a process that runs may take to answer, even on a busy machine. */
const answerMs = 5000;

/**
 * Whether a gRPC server answers at `address` (`host:port`). The kernel accepts connections for a process that is stopped, so an HTTP/2
 * ping is sent, which only a running server answers. Each question has a connection of its own, because gRPC closes connections with frequent pings.
 */
function answers(address: string, timeoutMs = answerMs): Promise<boolean> {
  if (!URL.canParse(`http://${address}`)) return Promise.resolve(false);
  return new Promise((resolve) => {
    const session = connect(`http://${address}`);
    const end = (isAlive: boolean): void => {
      clearTimeout(timer);
      session.destroy();
      resolve(isAlive);
    };
    const timer = setTimeout(() => {
      end(false);
    }, timeoutMs);
    session.on('error', () => {
      end(false);
    });
    session.once('connect', () => {
      session.ping((error) => {
        end(error === null);
      });
    });
  });
}

/** Time in which all members find out which one is lost. */
const reportMs = 3000;

/**
 * Waits until all servers answer.
 *
 * @param isStopped - ends the wait
 * @returns the addresses that do not answer in time
 */
export async function awaitMembers(
  addresses: readonly string[],
  timeoutMs: number,
  isStopped: () => boolean = () => false,
): Promise<string[]> {
  const until = Date.now() + timeoutMs;
  let missing = [...addresses];
  for (;;) {
    const alive = await Promise.all(missing.map((address) => answers(address)));
    missing = missing.filter((_, index) => !alive[index]);
    if (missing.length === 0 || Date.now() >= until || isStopped()) return missing;
    await sleep(Math.min(pauseMs, Math.max(0, until - Date.now())));
  }
}

interface WatchOptions {
  /** A server that has not answered for this time is lost. */
  silenceMs: number;

  /** Makes the error of lost members. */
  lost: (addresses: string[]) => Error;
}

/** Asks servers whether they answer, until one of them is lost. */
export class MemberWatch {
  readonly #addresses: readonly string[];
  readonly #options: WatchOptions;
  readonly #failure: Promise<never>;
  readonly #answered: Map<string, number>;
  #isStopped = false;

  constructor(addresses: readonly string[], o: WatchOptions) {
    this.#addresses = addresses;
    this.#options = o;
    this.#answered = new Map(addresses.map((address) => [address, Date.now()]));
    this.#failure = this.#watch();
    this.#failure.catch(() => undefined);
  }

  /**
   * The result of `work`, which waits for the other members, or the error of those that are lost.
   *
   * @param isLoss - whether an error of `work` may be due to a lost member
   */
  async guard<T>(work: Promise<T>, isLoss: (error: unknown) => boolean): Promise<T> {
    try {
      return await Promise.race([work, this.#failure]);
    } catch (error) {
      if (!isLoss(error)) throw error;
      const missing = await this.#missing();
      throw missing.length > 0 ? await this.#report(missing) : error;
    }
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** The servers that do not answer now, asked until one does not, for a time. */
  async #missing(): Promise<string[]> {
    const until = Date.now() + this.#options.silenceMs;
    for (;;) {
      const alive = await Promise.all(this.#addresses.map((address) => answers(address)));
      const missing = this.#addresses.filter((_, index) => !alive[index]);
      if (missing.length > 0 || Date.now() > until) return missing;
      await sleep(pauseMs);
    }
  }

  /** Rejects once a server is lost. */
  async #watch(): Promise<never> {
    const lost = await Promise.race(this.#addresses.map((address) => this.#silenceOf(address)));
    throw await this.#report(lost);
  }

  /** Waits until the server is lost. Returns it, and the others that are. */
  async #silenceOf(address: string): Promise<string[]> {
    const { silenceMs } = this.#options;
    const isLost = (other: string): boolean => Date.now() - this.#answered.get(other)! > silenceMs;
    while (!isLost(address)) {
      await sleep(pauseMs, undefined, { ref: false });
      if (this.#isStopped) return new Promise<never>(() => undefined);
      if (await answers(address, Math.min(answerMs, silenceMs))) this.#answered.set(address, Date.now());
    }
    return this.#addresses.filter(isLost);
  }

  /** The error of lost members. The others need this process until they know, or they would take it for lost, too. */
  async #report(addresses: string[]): Promise<Error> {
    await sleep(reportMs);
    return this.#options.lost(addresses);
  }
}
