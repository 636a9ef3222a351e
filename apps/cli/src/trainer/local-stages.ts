import { stages } from '@nautil/activities';
import type { AroundStage, PipelineStages } from '@nautil/contracts';
import type { TrainingDisplay } from '../terminal/training-display.js';

export interface LocalStageOptions {
  display: TrainingDisplay;

  /** Receives the entries of the run's log. */
  echo?: (entry: string) => void;

  signal: AbortSignal;
}

/** The shortest time between two progress lines of a download. */
const downloadLineMs = 5000;

/** The stages that every process of a training runs in itself. */
export const stagesBeforeTraining = ({
  display,
  echo,
  signal,
}: LocalStageOptions): Pick<PipelineStages, 'download' | 'convert' | 'cache' | 'tokenize'> => ({
  download: (request) => stages.download(request, { signal, onProgress: throttledLine(display) }),
  convert: (request) => stages.convert({ ...request, ...(echo && { echo }) }),
  cache: (request) => stages.cache(request),
  tokenize: (request) => stages.tokenize({ ...request, ...(echo && { echo }) }),
});

/** Prints the start and the end of each stage. */
export const shownStage =
  ({ display, signal }: Pick<LocalStageOptions, 'display' | 'signal'>): AroundStage =>
  async (name, work) => {
    signal.throwIfAborted();
    display.stage(name, 'running');
    const result = await work().catch((error: unknown) => {
      if (!signal.aborted) display.stage(name, 'failed');
      throw error;
    });
    for (const note of result.notes ?? []) display.note(note);
    display.stage(name, result.reused ? 'reused' : 'done', result.detail);
    return result;
  };

/** Prints the progress of a download at intervals. */
function throttledLine(display: TrainingDisplay): (detail: string) => void {
  let printedAt = performance.now();
  return (detail) => {
    if (performance.now() - printedAt < downloadLineMs) return;
    printedAt = performance.now();
    display.line(`download: ${detail}`);
  };
}
