import { counted, defineError } from '@nautil/contracts';
import type { RefusedSource } from '@nautil/tensorflow';
import type { TrainingGroup } from './job.js';

/** The loss is NaN or infinite. No step after the last checkpoint can be trusted. */
export class LossNotFinite extends defineError('LossNotFinite', 'training') {
  /** @param o `lr` is the configured learning rate, without warm-up and decay */
  constructor(o: {
    step: number;
    loss: number;
    lines: number[];
    lr: number | undefined;
    checkpoint: string | undefined;
    /** Whether the model computes in float16, whose overflow may be the cause. Default false. */
    isFloat16?: boolean;
  }) {
    super(`the loss is ${o.loss} at step ${o.step}`, {
      hint: [
        `lines of the training file in that batch: ${firstOf(o.lines)}`,
        lastGood(o.checkpoint),
        ...(o.isFloat16 === true
          ? ["or values of the model exceed float16's largest, 65504: set trainer.precision to bf16-mixed"]
          : []),
        smallerSteps(o.lr),
      ].join('\n'),
      setting: lowerRate(o.lr),
    });
  }
}

/** The gradients in float16 overflow however small the loss scale, although the loss is finite. No step can be taken any more. */
export class GradientsNotFinite extends defineError('GradientsNotFinite', 'training') {
  /** @param o `lr` is the configured learning rate */
  constructor(o: {
    step: number;
    scale: number;
    lines: number[];
    lr: number | undefined;
    checkpoint: string | undefined;
  }) {
    super(`the gradients at step ${o.step} overflow float16 even with a loss scale of ${o.scale}`, {
      hint: [
        `lines of the training file in that batch: ${firstOf(o.lines)}`,
        lastGood(o.checkpoint),
        `set trainer.precision to bf16-mixed, or ${smallerSteps(o.lr).replace(/^set /, '')}`,
      ].join('\n'),
      setting: 'trainer.precision=bf16-mixed',
    });
  }
}

/** An update made a weight or a value of the optimizer's state NaN or infinite. Checkpoints never contain such values. */
export class WeightsNotFinite extends defineError('WeightsNotFinite', 'training') {
  constructor(tensor: string, o: { step: number; lr: number | undefined; checkpoint: string | undefined }) {
    super(`${tensor} is not finite after step ${o.step}`, {
      hint: [lastGood(o.checkpoint), smallerSteps(o.lr)].join('\n'),
      setting: lowerRate(o.lr),
    });
  }
}

/** A model with finite weights computes NaN or infinity, so that a result of it would mean nothing. */
export class OutputNotFinite extends defineError('OutputNotFinite', 'training') {
  constructor(what: string, value: number) {
    super(`${what} is ${value}: the weights are finite, but so large that the model's output is not`, {
      hint: [
        'the training diverged: lower model.optim.lr or set trainer.gradient_clip_val=1.0, and train again',
        'exp_manager.checkpoint_callback_params.save_best_model=true evaluates and packages the weights of the best validation instead of the last',
      ].join('\n'),
      setting: 'trainer.gradient_clip_val=1.0',
    });
  }
}

/** A learning rate that BERT models are usually trained with. */
const usualRate = 2e-5;

/** The remedy for a training that diverged at a configured learning rate. */
const smallerSteps = (lr: number | undefined): string => {
  const [key, lower] = lowerRate(lr).split('=');
  return `set ${key} to ${lower} (it is ${lr ?? 'not set'}), or trainer.gradient_clip_val=1.0`;
};

const lowerRate = (lr: number | undefined): string =>
  `model.optim.lr=${Number(Math.min((lr ?? Infinity) / 10, usualRate).toPrecision(2)).toExponential()}`;

const shownLines = 10;

const firstOf = (lines: number[]): string =>
  lines.slice(0, shownLines).join(', ') +
  (lines.length > shownLines ? ` and ${lines.length - shownLines} more (${lines.length} lines)` : '');

const lastGood = (checkpoint: string | undefined): string =>
  checkpoint ? `last good checkpoint: ${checkpoint}` : 'there is no earlier checkpoint';

/** A checkpoint belongs to another configuration, other data or another model. */
export class CheckpointMismatch extends defineError('CheckpointMismatch', 'config') {
  constructor(path: string, differences: string[]) {
    super(`${path} was made by another run: ${differences.join('; ')}`, {
      hint: 'use another folder for this run, or go back to the configuration that the checkpoint was made with',
    });
  }
}

/** The weights of the best evaluation have changed on disk since they were written. The next attempt restores or recomputes them. */
export class BestWeightsDamaged extends defineError('BestWeightsDamaged', 'environment', { retryable: true }) {
  constructor(path: string) {
    super(`${path}: its content does not match the SHA-256 that was recorded when it was written, or it is gone`, {
      hint: 'a resumed run restores them from a checkpoint, or computes them again; check the disk',
    });
  }
}

/** The training was interrupted. A checkpoint contains all steps done so far. */
export class TrainingInterrupted extends defineError('TrainingInterrupted', 'interrupted', { retryable: true }) {
  /** Absent in a process that trains for another, which has the checkpoint. */
  readonly checkpoint: string | undefined;

  /** @param step - absent when the members of the group were not connected yet */
  constructor(step?: number, checkpoint?: string) {
    const message =
      step === undefined
        ? 'training stopped before all members of the group had answered'
        : `training stopped at step ${step}; ${checkpoint ?? 'the checkpoint of member 0'} contains all steps done so far`;
    super(message, { hint: 'the next attempt at this run resumes from the last checkpoint' });
    this.checkpoint = checkpoint;
  }
}

/** A training cannot continue from a checkpoint of a run that has ended, which kept only the weights. */
export class OptimizerStateDropped extends defineError('OptimizerStateDropped', 'config') {
  constructor(path: string) {
    super(
      `${path} has no state of the optimizer, so no training can continue from it: its run has ended, and kept only the weights`,
      {
        hint: [
          'to train for more epochs, train again with them (trainer.max_epochs);',
          'a run with exp_manager.resume_if_exists=true keeps its last checkpoint whole, so that a later run can continue from it',
        ].join('\n'),
      },
    );
  }
}

/** A training batch does not fit into memory, even one row at a time. */
export class BatchTooLarge extends defineError('BatchTooLarge', 'environment') {
  constructor(rows: number, length: number, cause: unknown) {
    const shorter = Math.max(2, Math.floor(length / 2));
    super(`a batch of ${rows} × ${length} tokens does not fit into memory`, {
      hint: `set model.dataset.max_seq_length to ${shorter}, or use a smaller model or a larger device`,
      setting: `model.dataset.max_seq_length=${shorter}`,
      cause,
    });
  }
}

/** The devices of the configuration do not exist on the machine that trains. */
export class DevicesMissing extends defineError('DevicesMissing', 'config') {}

/** The training data does not fill a batch of all devices. */
export class NoTrainingBatch extends defineError('NoTrainingBatch', 'config') {
  constructor(rows: number, batchSize: number) {
    super(
      `model.train_ds: ${counted(rows, 'example')} ${rows === 1 ? 'does' : 'do'} not fill one batch of ${batchSize} rows, of all devices together`,
      {
        hint: 'set model.train_ds.drop_last=false, or use a smaller model.train_ds.batch_size or fewer trainer.devices',
      },
    );
  }
}

/** Members of a group did not start in time. */
export class MembersMissing extends defineError('MembersMissing', 'environment', { retryable: true }) {
  /** @param refused - the members that are known to accept no connection from this machine */
  constructor(
    addresses: string[],
    { members, index }: TrainingGroup,
    { seconds, refused }: { seconds: number; refused: readonly RefusedSource[] },
  ) {
    const known = refused.map(
      ({ address, source }) =>
        `${listed([address], members)} drops this machine's packets: they come from ${source}, which is not an address of ${members[index]}`,
    );
    super(
      `${listed(addresses, members)} did not answer member ${index} (${members[index]}) within ${seconds} s: the training needs all ${members.length} members`,
      {
        hint: [
          ...known,
          'start the missing members, and check that each address can be reached from the others',
          'members accept connections only from the IP addresses of the members: list a machine behind NAT, or with several networks, with the address from which it connects to the others (nautil.group.members; NAUTIL_HOST for workers)',
        ].join('\n'),
      },
    );
  }
}

/** Members of a group died, or no longer answer. */
export class MembersLost extends defineError('MembersLost', 'environment', { retryable: true }) {
  constructor(addresses: string[], { members, index }: TrainingGroup) {
    super(
      `${listed(addresses, members)} no longer answers member ${index} (${members[index]}): the training cannot go on without all members`,
      {
        hint: 'the next attempt resumes all members from the last checkpoint',
      },
    );
  }
}

/** Members of a group were started with different inputs. */
export class MembersDiffer extends defineError('MembersDiffer', 'config') {
  constructor(differing: { address: string; what: string[] }[], { members }: TrainingGroup) {
    const each = differing.map(
      ({ address, what }) => `${listed([address], members)} has different ${what.join(' and ')}`,
    );
    super(`${each.join('; ')} from member 0 (${members[0]})`, {
      hint: 'start all members with the same configuration, the same data and the same version of Nautil',
    });
  }
}

const listed = (addresses: string[], members: string[]): string =>
  addresses.map((address) => `member ${members.indexOf(address)} (${address})`).join(', ');

/** onnxruntime's tools could not write a model in int8. */
export class QuantizationFailed extends defineError('QuantizationFailed', 'environment') {}
