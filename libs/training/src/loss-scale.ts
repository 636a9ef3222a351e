import { counted } from '@nautil/contracts';

/**
 * The factor of the losses in float16, whose smallest numbers are larger than many gradients: torch's GradScaler, with its default
 * factors and interval.
 */
export interface LossScale {
  scale: number;

  /** Steps since the scale last changed, all of them with finite gradients. */
  goodSteps: number;

  /** Steps of the whole run that were skipped, because their gradients overflowed. They do not count as steps of the optimizer. */
  skippedSteps: number;
}

const growthFactor = 2;
const backoffFactor = 0.5;
const growthInterval = 2000;

/** A scale at which gradients that overflow are larger than 2³⁰: no smaller scale makes the training recover. */
const smallest = 2 ** -14;

/** The state before the first step. @param scale - torch's `init_scale` */
export const initialLossScale = (scale: number): LossScale => ({ scale, goodSteps: 0, skippedSteps: 0 });

/** The state after a step, which is skipped when its gradients are not finite. */
export function lossScaleAfter({ scale, goodSteps, skippedSteps }: LossScale, isSkipped: boolean): LossScale {
  if (isSkipped) return { scale: scale * backoffFactor, goodSteps: 0, skippedSteps: skippedSteps + 1 };
  if (goodSteps + 1 < growthInterval) return { scale, goodSteps: goodSteps + 1, skippedSteps };
  const grown = scale * growthFactor;
  // The graph computes with the scale in float32.
  return { scale: Number.isFinite(Math.fround(grown)) ? grown : scale, goodSteps: 0, skippedSteps };
}

/** Whether the scale has fallen so far that the gradients themselves are at fault. */
export const isExhausted = ({ scale }: LossScale): boolean => scale < smallest;

/** Composes one warning for each series of skipped steps, when it has ended. */
export class SkippedSteps {
  #first: number | undefined;

  /**
   * @param step - number of the step, from 1
   * @param lossScale - the state after the step
   */
  after(step: number, lossScale: LossScale, isSkipped: boolean): string | undefined {
    if (!isSkipped) return this.ended(step - 1, lossScale);
    this.#first ??= step;
    return undefined;
  }

  /** @param last - number of the last skipped step, if a series has begun */
  ended(last: number, lossScale: LossScale | undefined): string | undefined {
    const first = this.#first;
    this.#first = undefined;
    if (first === undefined || !lossScale) return undefined;
    const which = first === last ? `step ${first} was` : `steps ${first} to ${last} were`;
    return `${which} skipped, because gradients overflowed float16: the loss scale is ${lossScale.scale} now, and ${counted(lossScale.skippedSteps, 'step')} of the run so far had no update`;
  }
}
