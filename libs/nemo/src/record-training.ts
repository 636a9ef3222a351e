import type { LoggedEvent } from '@nautil/contracts';
import type { EventFile } from './event-file.js';

/**
 * Writes a step or an evaluation to a TensorBoard event file under NeMo's tags and in NeMo's units: `train_loss`, `lr`,
 * `val_loss`, and the micro averages `val_precision`, `val_recall` and `val_f1` in percent. Adds the macro F1, which NeMo
 * does not record.
 */
export function recordTraining(file: Pick<EventFile, 'scalar'>, event: LoggedEvent): void {
  if (event.type === 'step') {
    const { loss, lr, gradNorm, epoch, examplesPerSecond } = event;
    file.scalar('train_loss', loss, event);
    file.scalar('lr', lr, event);
    if (gradNorm !== undefined) file.scalar('grad_norm', gradNorm, event);
    file.scalar('examples_per_second', examplesPerSecond, event);
    file.scalar('epoch', epoch, event);
  }
  if (event.type === 'eval') {
    const { split, loss, report } = event;
    file.scalar(`${split}_loss`, loss, event);
    file.scalar(`${split}_precision`, report.micro.precision * 100, event);
    file.scalar(`${split}_recall`, report.micro.recall * 100, event);
    file.scalar(`${split}_f1`, report.micro.f1 * 100, event);
    file.scalar(`${split}_f1_macro`, report.macro.f1 * 100, event);
  }
}
