import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  CachedInputs,
  EpochEvaluated,
  Evaluated,
  FileRef,
  Made,
  ResolvedRun,
  RunScores,
  TokenizedData,
  TrainedModel,
  TrainEvent,
} from '@nautil/contracts';
import { NautilError } from '@nautil/contracts';
import { fileRef, stageOutput, writeFileAtomic } from '@nautil/store';
import { encoderConfigOf, type Evaluation, type EvaluateWeightsOptions } from '@nautil/training';
import { configOf, redoOf } from './run-settings.js';
import { trainJobOf } from './train-job.js';

/** Computes an evaluation, in the trainer process or in this one. */
export type Evaluate = (options: Omit<EvaluateWeightsOptions, 'afterBatch'>) => Promise<Evaluation>;

/** More classes than this are too large a report for a payload. */
const reportedClasses = 200;

/**
 * Reports on the weights that will be packaged, the last ones or with `save_best_model` the best: over the test set, or
 * the validation set when there is no test set. `package` writes exactly the file that is named here, so the report is
 * the packaged file's.
 */
export async function evaluate(
  o: { run: ResolvedRun; inputs: CachedInputs; tokens: TokenizedData; model: TrainedModel },
  compute: Evaluate,
): Promise<Made<Evaluated>> {
  const { settings } = await configOf(o.run);
  const best = settings.expManager.checkpointCallback.saveBestModel && o.model.bestWeights !== undefined;
  const weights = best ? o.model.bestWeights! : o.model.lastWeights;
  const split = o.tokens.test ? 'test' : 'val';
  const cache = o.tokens.test ?? o.tokens.validation;
  const job = await trainJobOf({ ...o, folder: o.run.folder });
  const dataset = split === 'test' ? settings.model.testDs : settings.model.validationDs;
  const limit = split === 'test' ? settings.trainer.limitTestBatches : settings.trainer.limitValBatches;

  const inputs = {
    weights: weights.sha256,
    split,
    cache: cache?.file.sha256,
    batch: dataset.batchSize,
    limit,
    events: o.model.events.sha256,
    redo: redoOf(o.run, 'evaluate'),
  };
  const { output, reused } = await stageOutput('evaluate', inputs, async ({ folder }) => {
    if (cache === undefined) throw new NothingToEvaluate();
    const evaluation = await compute({
      job,
      weights: weights.path,
      encoderConfig: await encoderConfigOf(job.encoder),
      cache: cache.file.path,
      dataset,
      limit,
    });
    const reportFile = join(folder, 'report.json');
    await writeFileAtomic(reportFile, `${JSON.stringify(evaluation.report, null, 2)}\n`);
    const evaluationsFile = join(folder, 'evaluations.jsonl');
    const final: Omit<EpochEvaluated, 'timestampMs'> = {
      type: 'eval',
      split,
      step: o.model.step,
      epoch: o.model.epoch,
      ...evaluation,
    };
    // Without a test set the last validation is made again, of the file that is packaged: it takes the place of the first.
    const past = (await evaluationsIn(o.model.events)).filter(
      (event) => event.split !== split || event.step !== final.step,
    );
    await writeFileAtomic(evaluationsFile, [...past, final].map((event) => `${JSON.stringify(event)}\n`).join(''));
    return { evaluation, reportFile: await fileRef(reportFile), evaluations: await fileRef(evaluationsFile) };
  });
  const scores = scoresOf(split, output.evaluation);
  const { report } = output.evaluation;
  const step = best ? o.model.best?.step : o.model.step;
  const onValidation = (await evaluationsIn(o.model.events)).findLast((past) => past.step === step);
  return {
    weights,
    picked: best ? 'best' : 'last',
    scores,
    ...(split === 'test' && onValidation ? { validation: scoresOf('val', onValidation) } : {}),
    reportFile: output.reportFile,
    evaluations: output.evaluations,
    ...(report.classes.length <= reportedClasses ? { report } : {}),
    reused,
    detail: `${split} accuracy ${report.accuracy.toFixed(4)}, macro F1 ${report.macro.f1.toFixed(4)}`,
  };
}

const scoresOf = (split: RunScores['split'], { loss, report }: Pick<EpochEvaluated, 'loss' | 'report'>): RunScores => ({
  split,
  examples: report.support,
  loss,
  accuracy: report.accuracy,
  f1Macro: report.macro.f1,
  f1Micro: report.micro.f1,
  f1Weighted: report.weighted.f1,
});

/** There is neither a test nor a validation set. */
class NothingToEvaluate extends NautilError {
  override readonly name = 'NothingToEvaluate';
  readonly kind = 'config';

  constructor() {
    super('there is neither a test nor a validation set to evaluate on', {
      hint: 'set model.validation_ds.file_path or model.test_ds.file_path',
    });
  }
}

async function evaluationsIn(events: FileRef): Promise<EpochEvaluated[]> {
  const lines = (await readFile(events.path, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as TrainEvent).filter((event) => event.type === 'eval');
}
