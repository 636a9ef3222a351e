import type { Config } from '@nautil/config';
import { defineError } from '@nautil/contracts';
import { openTensorFlow } from '@nautil/tensorflow';
import { type GpuProblem, gpuProblems, readGpuFacts } from '@nautil/tensorflow/gpu';

type Accelerator = Config['trainer']['accelerator'];

/** `trainer.accelerator` requires a GPU, and there is none that TensorFlow can use. */
export class GpuUnavailable extends defineError('GpuUnavailable', 'environment') {
  constructor(accelerator: 'gpu' | 'cuda', problems: readonly GpuProblem[]) {
    super(
      `trainer.accelerator=${accelerator}, and no GPU can be used: ${problems.map(({ what }) => what).join('; ')}`,
      {
        hint: [
          ...problems.map(({ remedy }) => remedy),
          'to train on the processor: trainer.accelerator=auto, or cpu, and a number of devices in trainer.devices (`npx nautil doctor` shows what is there)',
        ].join('\n'),
        setting: 'trainer.accelerator=auto',
      },
    );
  }
}

/** Whether TensorFlow cannot use a GPU of this machine, as far as can be told without loading it. */
export const lacksGpu = (): boolean => gpuProblems(readGpuFacts()).length > 0;

const requiresGpu = (accelerator: Accelerator): accelerator is 'gpu' | 'cuda' =>
  accelerator === 'gpu' || accelerator === 'cuda';

/**
 * Finds early, without loading TensorFlow, that a training which requires a GPU cannot have one on this machine.
 *
 * @throws GpuUnavailable
 */
export function requireGpu({ accelerator }: Pick<Config['trainer'], 'accelerator'>): void {
  if (!requiresGpu(accelerator)) return;
  const problems = gpuProblems(readGpuFacts());
  if (problems.length > 0) throw new GpuUnavailable(accelerator, problems);
}

/**
 * What keeps the loaded TensorFlow, which lists no GPU, from using one, in one line. For `cpu` there is nothing to report.
 *
 * @throws GpuUnavailable if a GPU is required
 */
export function withoutGpu({ accelerator }: Pick<Config['trainer'], 'accelerator'>): string | undefined {
  if (accelerator === 'cpu') return undefined;
  const problems = gpuProblems({ ...readGpuFacts(), build: openTensorFlow().build, listed: 0 });
  if (requiresGpu(accelerator)) throw new GpuUnavailable(accelerator, problems);
  return problems.map(({ what }) => what).join('; ');
}
