import { defaultPayloadConverter, type WorkflowHandle } from '@temporalio/client';
import type { Progress, RunActivities, TrainingProgress } from '@nautil/contracts';
import { InvalidJson, validateTrainHeartbeat } from '@nautil/contracts/schemas';

const trainActivity: keyof RunActivities = 'train';

/**
 * The progress of training from its last heartbeat, which is only seconds old. The workflow is updated less often; its own
 * progress is returned, with a warning, when the heartbeat is invalid: the worker may run another version.
 */
export async function newestTraining(
  handle: Pick<WorkflowHandle, 'describe'>,
  { training }: Pick<Progress, 'training'>,
  warn: (message: string) => void,
): Promise<TrainingProgress | undefined> {
  // The poll of the workflow reports an unreachable server.
  const described = await handle.describe().catch(() => undefined);
  const pending = described?.raw.pendingActivities?.find(({ activityType }) => activityType?.name === trainActivity);
  const [payload] = pending?.heartbeatDetails?.payloads ?? [];
  const details: unknown = payload && defaultPayloadConverter.fromPayload(payload);
  if (details === undefined) return training;
  try {
    const heartbeat = validateTrainHeartbeat(details, 'the heartbeat of the training');
    return heartbeat.step >= (training?.step ?? 0) ? { ...training, ...heartbeat } : training;
  } catch (error) {
    if (!(error instanceof InvalidJson)) throw error;
    warn(error.message);
    return training;
  }
}
