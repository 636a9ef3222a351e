import {
  ActivityFailure,
  type ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  isCancellation,
  log,
  setHandler,
  sleep,
} from '@temporalio/workflow';
import {
  counted,
  type FailureDetails,
  type GroupPlace,
  listed,
  type MemberPlaced,
  type MemberResult,
  messageWithHint,
  type Placement,
  type RunGroup,
  type StageResult,
  type TrainedModel,
} from '@nautil/contracts';
import { InvalidValue } from './json-parsers.js';
import { groupPlacement, memberPlaced } from './messages.js';
import { parseMemberPlaced } from './parse-member-placed.js';
import { firstHoldMs, retryPolicies } from './retry-policies.js';
import { expectedFailure, rootFailure } from './to-workflow-failure.js';

/** The activities of one start of the group. */
export interface GroupActivities {
  train: (place: GroupPlace) => Promise<StageResult<TrainedModel>>;
  trainMember: (place: GroupPlace) => Promise<MemberResult>;
}

/** Waits before the group is started again: doubled each time, as by Temporal's own retries. */
const firstRetryMs = 1000;
const longestRetryMs = 60_000;

/**
 * Trains a run with several activities at once, each of which occupies a place on a worker. An activity that has a worker signals
 * its address. When all have one, they find the list of addresses with a query, and their trainers connect to one another.
 *
 * When one fails, the others cannot continue either: they are cancelled and awaited, and all start again from the newest
 * checkpoint of member 0.
 */
export class TrainingGroup {
  #starts = 0;
  #token: string | undefined;

  /** Who has a worker, by index. */
  #placed: (MemberPlaced | undefined)[] = [];
  readonly #onNote: (note: string) => void;

  /** @param o.onNote - receives messages for users */
  constructor({ onNote }: { onNote: (note: string) => void }) {
    this.#onNote = onNote;
    setHandler(memberPlaced, (payload) => {
      this.#place(payload);
    });
    setHandler(groupPlacement, () => this.#placement());
  }

  /**
   * Starts the group until its training completes.
   *
   * @throws MembersMissing when members found no worker in time; the failure of a member that is not retryable, or of the last
   *   of `retryPolicies.training.maximumAttempts` starts
   */
  async train(group: RunGroup, taskQueue: string, activities: GroupActivities): Promise<StageResult<TrainedModel>> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#trainOnce(group, taskQueue, activities);
      } catch (error) {
        if (!isRetryable(error) || attempt >= retryPolicies.training.maximumAttempts) throw error;
        const [reason = ''] = rootFailure(error).message.split('\n'); // without the hint
        const message = `the training processes start again from the newest checkpoint (attempt ${attempt} failed: ${reason})`;
        log.warn(message);
        this.#onNote(message);
      }
      await sleep(Math.min(longestRetryMs, firstRetryMs * 2 ** (attempt - 1)));
    }
  }

  /**
   * Starts the members until all have a worker, and waits until all have ended. The time to wait for the last of them counts from the
   * first that has a worker: until then the run waits in the queue like any other.
   */
  async #trainOnce(
    group: RunGroup,
    taskQueue: string,
    activities: GroupActivities,
  ): Promise<StageResult<TrainedModel>> {
    let budgetMs = group.joinTimeoutS * 1000;
    for (let holdMs = firstHoldMs; ; holdMs *= 2) {
      const waitMs = Math.min(budgetMs, Math.round(holdMs * (0.5 + fractionOfSecond())));
      const outcome = await this.#start(group.size, activities, waitMs);
      if ('model' in outcome) return outcome.model;
      budgetMs -= waitMs;
      if (budgetMs <= 0) throw membersMissing(outcome.missing, group, taskQueue);
      log.info('the places of the group are given up for a moment', { missing: outcome.missing });
      await sleep(Math.ceil(waitMs / 10));
    }
  }

  /**
   * Starts all members, and waits until all have ended.
   *
   * @param waitMs - how long the first member with a worker waits for the others
   */
  async #start(
    size: number,
    activities: GroupActivities,
    waitMs: number,
  ): Promise<{ model: StageResult<TrainedModel> } | { missing: number[] }> {
    const token = `${++this.#starts} at ${Date.now()}`;
    this.#token = token;
    this.#placed = Array.from({ length: size }, () => undefined);
    const caller = CancellationScope.current();
    const scope = new CancellationScope();
    const failures: unknown[] = [];
    const place = (index: number): GroupPlace => ({ index, token });
    const ended: { model?: StageResult<TrainedModel> } = {};
    const members = await scope.run(() => {
      const first = activities.train(place(0)).then((model) => {
        ended.model = model;
      });
      const others = this.#placed.slice(1).map((_, index) => activities.trainMember(place(index + 1)));
      return Promise.resolve(
        [first, ...others].map((member) => member.catch((error: unknown) => failures.push(error))),
      );
    });
    const isOver = (): boolean => ended.model !== undefined || failures.length > 0;
    let missing: number[] = [];
    try {
      await condition(() => isOver() || this.#missing().length < size);
      if (!(await condition(() => isOver() || this.#missing().length === 0, waitMs))) missing = this.#missing();
      else if (!isOver()) {
        this.#onNote(`${counted(size, 'process', 'processes')} train: ${this.#addresses().join(', ')}`);
        await condition(isOver);
      }
    } catch (error) {
      if (!isCancellation(error)) throw error;
    }
    // A member that has completed is not affected. The others end, which frees their workers.
    scope.cancel();
    await Promise.all(members);
    this.#token = undefined;
    if (ended.model !== undefined) return { model: ended.model };
    if (caller.consideredCancelled) throw new CancelledFailure('the training was cancelled');
    if (missing.length > 0) return { missing };
    throw causeOf(failures);
  }

  #missing(): number[] {
    return this.#placed.flatMap((member, index) => (member === undefined ? [index] : []));
  }

  #addresses(): string[] {
    return this.#placed.flatMap((member) => (member === undefined ? [] : [member.address]));
  }

  /**
   * Takes the first address for each place, so that nobody moves a member that the others already connect to. A member whose place is
   * taken finds another address there, and fails; the group then starts again.
   *
   * NOTE: an error in a signal's handler would fail the workflow task, which Temporal repeats forever.
   */
  #place(payload: unknown): void {
    try {
      const member = parseMemberPlaced(payload, 'its payload');
      const { token, index, address } = member;
      if (token !== this.#token || index >= this.#placed.length) return;
      const taken = this.#placed[index]?.address;
      if (taken === undefined) this.#placed[index] = member;
      else if (taken !== address)
        log.warn(`a signal ${memberPlaced.name} is ignored: member ${index} is at ${taken}, not at ${address}`);
    } catch (error) {
      if (!(error instanceof InvalidValue)) throw error;
      log.warn(`a signal ${memberPlaced.name} is ignored: ${error.message}`);
    }
  }

  #placement(): Placement {
    const placed = this.#placed.filter((member) => member !== undefined);
    if (this.#token === undefined || placed.length < this.#placed.length) return { token: this.#token };
    return {
      token: this.#token,
      members: placed.map(({ address }) => address),
      signatures: placed.map(({ signature }) => signature ?? null),
    };
  }
}

/**
 * From 0 to 1, at random for groups that do not know of each other.
 *
 * NOTE: the workflow's random numbers, and so `uuid4`, depend on whether its worker traces. The time does not, and it differs after a reset.
 */
const fractionOfSecond = (): number => (Date.now() % 1000) / 1000;

const isRetryable = (error: unknown): boolean =>
  error instanceof ActivityFailure && error.retryState !== 'NON_RETRYABLE_FAILURE' && !isCancellation(error);

/**
 * The failure that ended the group. When one member fails, the others report that they have lost it, sometimes earlier: their
 * failures say less. One that no retry cures decides.
 */
function causeOf(failures: readonly unknown[]): unknown {
  const own = failures.filter((failure) => !isCancellation(failure));
  const decisive = own.find((failure) => failure instanceof ActivityFailure && !isRetryable(failure));
  const informative = own.find((failure) => !consequences.includes(rootFailure(failure).type));
  return decisive ?? informative ?? own[0] ?? failures[0];
}

/** Types of failures that a member has because another one has failed or ended. */
const consequences = ['MembersLost', 'MemberStopped'];

function membersMissing(
  missing: readonly number[],
  { size, joinTimeoutS }: RunGroup,
  taskQueue: string,
): ApplicationFailure {
  const names = listed(missing.map(String));
  const details: FailureDetails = {
    kind: 'environment',
    hint: `trainer.num_nodes=${size} takes ${size} places at the same time: start more workers with --role gpu, or wait until other runs have ended; then resume the run`,
  };
  const message = `member ${names} of ${size} (counted from 0) found no worker on the task queue ${taskQueue} within ${joinTimeoutS} s`;
  return expectedFailure({
    message: messageWithHint({ message, hint: details.hint }),
    type: 'MembersMissing',
    details: [details],
  });
}
