import { join } from 'node:path';
import type { MemberResult, TrainRequest } from '@nautil/contracts';
import type { JoinTask } from '@nautil/trainer-process';
import type { TrainingGroup } from '@nautil/training';
import { joinedGroup, requireGroup, requireTrainingInputs } from './train.js';
import { trainJobOf } from './train-job.js';

export interface TrainMemberOptions {
  /** Index of the member, 1 or more. */
  index: number;

  /** Waits for the other members. */
  join: () => Promise<TrainingGroup>;

  /** Trains, in another process or in this one. */
  compute: (task: JoinTask) => Promise<MemberResult>;
}

/**
 * Trains as a member of a group other than the first. It reads the same data and the same encoder as member 0, which sends it the
 * weights, and leaves no files, no log and no record in MLflow: member 0 does that.
 */
export async function trainMember(request: TrainRequest, o: TrainMemberOptions): Promise<MemberResult> {
  const { run } = request;
  requireGroup(run, o);
  // Workers may share the run's folder, in which member 0 writes.
  const {
    logDir: _,
    resumeFrom: __,
    ...job
  } = await trainJobOf({
    ...request,
    folder: join(run.folder, 'members', String(o.index)),
  });
  await requireTrainingInputs(request);
  return o.compute({ do: 'join', job: { ...job, group: await joinedGroup(o.join) } });
}
