import type { PipelineStep } from './tokenizer-definition.js';

/** The steps of a part of the pipeline. A sequence comes before the steps in it. */
export function* stepsOf(step: PipelineStep | null): Generator<PipelineStep> {
  if (step === null) return;
  yield step;
  for (const key of ['normalizers', 'pretokenizers', 'processors']) {
    const inner = step[key];
    if (Array.isArray(inner)) for (const next of inner as PipelineStep[]) yield* stepsOf(next);
  }
}
