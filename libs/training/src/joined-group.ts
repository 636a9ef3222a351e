import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  allGather,
  allReduce,
  broadcast,
  type ClusterSession,
  type CollectiveKey,
  Graph,
  type HostTensor,
  hostTensor,
  type Output,
  refusedSources,
  Session,
  startClusterServer,
  TensorFlowError,
} from '@nautil/tensorflow';
import { MembersDiffer, MembersLost, MembersMissing, TrainingInterrupted } from './errors.js';
import type { TrainingGroup } from './job.js';
import { awaitMembers, MemberWatch } from './member-health.js';

const defaults = { joinTimeoutS: 300, stepTimeoutS: 60 };

/** Key of the group of all processes; see `deviceGroup` for that of all devices. */
const processGroup = 2;

/** Keys of the operations of `processGroup`. One key stands for values of one shape. */
const instances = { sum: 1, message: 2, counts: 3, digests: 4 };

/** Length of every message in int32. */
const messageInts = 16_384;

/** Number of values that are summed at a time. */
const summed = 4;

/** Time to wait for the others at the end, and for which a member that has ended still serves them. */
const leaveMs = 10_000;
const lingerMs = 500;

/** Number of texts that are compared at most, and the length of a digest in int32. */
const comparedTexts = 15;
const digestInts = 8;

/**
 * The processes that train a run together, as one of them sees them. They exchange values through TensorFlow's collectives: every
 * member must call the same methods in the same order.
 */
export class JoinedGroup {
  readonly #group: TrainingGroup;
  readonly #graph = new Graph();
  readonly #session: Session;
  readonly #watch: MemberWatch;
  readonly #operations = new Map<string, { input: Output; output: Output }>();

  /** This process's server, for the session of the model. */
  readonly cluster: ClusterSession;

  private constructor(group: TrainingGroup, cluster: ClusterSession) {
    this.#group = group;
    this.cluster = cluster;
    this.#session = new Session(this.#graph, cluster);
    this.#watch = new MemberWatch(
      group.members.filter((_, index) => index !== group.index),
      {
        silenceMs: (group.stepTimeoutS ?? defaults.stepTimeoutS) * 1000,
        lost: (addresses) => new MembersLost(addresses, group),
      },
    );
  }

  /**
   * Starts this process's server, and waits until those of all members answer.
   *
   * @param session - devices and threads of this process
   * @param isStopped - ends the wait
   * @throws MembersMissing; TrainingInterrupted when the wait was ended
   */
  static async join(
    group: TrainingGroup,
    session: { cpuDevices: number; nccl: boolean; intraOpThreads: number },
    isStopped: () => boolean,
  ): Promise<JoinedGroup> {
    const cluster = await startClusterServer(group, session);
    const seconds = group.joinTimeoutS ?? defaults.joinTimeoutS;
    const missing = await awaitMembers(group.members, seconds * 1000, isStopped);
    if (missing.length > 0 && isStopped()) throw new TrainingInterrupted();
    if (missing.length > 0)
      throw new MembersMissing(missing, group, { seconds, refused: await refusedSources(group, missing) });
    return new JoinedGroup(group, cluster);
  }

  /** Whether this process writes the checkpoints and decides. */
  get isChief(): boolean {
    return this.#group.index === 0;
  }

  /**
   * Compares texts that must be equal on all members.
   *
   * @param texts - at most 15, by what they are, such as `data`
   * @throws MembersDiffer
   */
  async requireEqual(texts: Readonly<Record<string, string>>): Promise<void> {
    const names = Object.keys(texts).sort();
    const own = new Int32Array((1 + comparedTexts) * digestInts);
    for (const [at, text] of [names.join('\n'), ...names.map((name) => texts[name]!)].entries())
      own.set(digestOf(text), at * digestInts);
    const all = await this.#gather(own, instances.digests);
    const digestAt = (member: number, at: number): string =>
      all[member]!.slice(at * digestInts, (at + 1) * digestInts).join();
    const differing = this.#group.members.flatMap((address, member) => {
      const differs = (at: number): boolean => digestAt(member, at) !== digestAt(0, at);
      const what = differs(0) ? ['inputs'] : names.filter((_, at) => differs(at + 1));
      return what.length > 0 ? [{ address, what }] : [];
    });
    if (differing.length > 0) throw new MembersDiffer(differing, this.#group);
  }

  /** The numbers of devices before this process's, and in all. */
  async countDevices(own: number): Promise<{ offset: number; total: number }> {
    const counts = (await this.#gather(Int32Array.of(own), instances.counts)).map(([count]) => count!);
    const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0);
    return { offset: sum(counts.slice(0, this.#group.index)), total: sum(counts) };
  }

  /** The sums of up to four numbers over all members, in float32; those that are not given are 0. */
  async sum(values: readonly number[]): Promise<number[]> {
    return Array.from(await this.guard(this.#sum(values)));
  }

  async #sum(values: readonly number[]): Promise<Float32Array> {
    const padded = new Float32Array(summed);
    padded.set(values);
    const result = await this.#run('sum', hostTensor('float32', [summed], padded), (input) => {
      const [sums] = allReduce(this.#graph, [{ device: this.#device, values: [input] }], this.#key(instances.sum));
      return sums![0]!;
    });
    return result as Float32Array;
  }

  /**
   * A text that member 0 sends to the others, who pass none.
   *
   * @throws Error for a text of more than 64 KiB
   */
  async textFromChief(text?: string): Promise<string> {
    const bytes = Buffer.from(text ?? '');
    const message = new Int32Array(messageInts); // the length, then the bytes
    if (bytes.length > (messageInts - 1) * 4)
      throw new Error(`a text of ${bytes.length} bytes is too long for a message`);
    message[0] = bytes.length;
    new Uint8Array(message.buffer).set(bytes, 4);
    const shape = [messageInts];
    const sent = this.#run('message', hostTensor('int32', shape, message), (input) =>
      broadcast(this.#graph, this.isChief ? input : undefined, { dtype: 'int32', shape }, this.#key(instances.message)),
    );
    const received = Int32Array.from(await this.guard(sent));
    return Buffer.from(received.buffer, 4, received[0]).toString();
  }

  /** The result of `work`, which waits for other members, or MembersLost when one no longer answers. */
  guard<T>(work: Promise<T>): Promise<T> {
    return this.#watch.guard(work, (error) => error instanceof TensorFlowError);
  }

  /** Waits until all members have taken their last step: from then on, each may end, although TensorFlow of another may still receive. */
  async leave(): Promise<void> {
    const last = this.#sum([0]).catch(() => undefined); // A member that does not get the sum is done, too.
    await Promise.race([last, sleep(leaveMs, undefined, { ref: false })]);
    this.#watch.stop();
    if (!this.isChief) await sleep(lingerMs);
  }

  /** The values of all members. */
  async #gather(own: Int32Array, instance: number): Promise<number[][]> {
    const values = this.#run(`gather ${instance}`, hostTensor('int32', [1, own.length], own), (input) =>
      allGather(this.#graph, input, this.#key(instance)),
    );
    const all = Array.from(await this.guard(values));
    return this.#group.members.map((_, member) => all.slice(member * own.length, (member + 1) * own.length));
  }

  /** Runs an operation on a value. Its nodes, which `add` returns, are added once. */
  async #run(name: string, value: HostTensor, add: (input: Output) => Output): Promise<Float32Array | Int32Array> {
    let operation = this.#operations.get(name);
    if (operation === undefined) {
      operation = this.#graph.onDevice(this.#device, () => {
        const input = this.#graph.placeholder(value.dtype, value.shape);
        return { input, output: add(input) };
      });
      this.#operations.set(name, operation);
    }
    const [result] = await this.#session.run({ feeds: [[operation.input, value]], fetches: [operation.output] });
    return result!.data as Float32Array | Int32Array;
  }

  #key(instance: number): CollectiveKey {
    return { group: processGroup, size: this.#group.members.length, instance };
  }

  /** The processor of this process. */
  get #device(): string {
    return this.cluster.deviceName('/device:CPU:0');
  }
}

function digestOf(text: string): Int32Array {
  const digest = createHash('sha256').update(text).digest();
  return Int32Array.from({ length: digestInts }, (_, i) => digest.readInt32LE(4 * i));
}
