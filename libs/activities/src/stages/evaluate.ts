import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  CachedInputs,
  EpochEvaluated,
  Evaluated,
  FileRef,
  StageResult,
  ResolvedRun,
  RunScores,
  SampleAnswer,
  TokenizedData,
  TrainedModel,
  TrainEvent,
} from '@nautil/contracts';
import type { Config } from '@nautil/config';
import { drawConfusionMatrix, drawLearningCurve, drawScoreCurves } from '@nautil/metrics';
import { maxLength, parseEncoderConfig } from '@nautil/model';
import { fileRef, stageOutput, writeFileAtomic } from '@nautil/store';
import {
  encoderConfigOf,
  softmax,
  type Evaluation,
  type EvaluateWeightsOptions,
  type WeightsEvaluated,
} from '@nautil/training';
import { logAnswers, logTest, type Echo } from './experiment.js';
import { configOf, redoOf } from './run-settings.js';
import { tokenizerOf } from './tokenize.js';
import { trainJobOf } from './train-job.js';

/** Computes an evaluation, in the trainer process or in this one. */
export type Evaluate = (options: Omit<EvaluateWeightsOptions, 'afterBatch'>) => Promise<WeightsEvaluated>;

/** More classes than this are too large a report for a payload, and for a picture. */
const reportedClasses = 200;

/** NeMo's script cuts `infer_samples` here, whatever the training did. */
const longestSample = 512;

interface EvaluateInputs {
  run: ResolvedRun;
  inputs: CachedInputs;
  tokens: TokenizedData;
  model: TrainedModel;
}

/** Of what the stage keeps: raise it when that changes, so that what older code kept is not read as new. */
const format = 2;

/** What the stage keeps. */
interface Output {
  evaluation?: Evaluation;
  reportFile?: FileRef;
  evaluations: FileRef;
  charts: FileRef[];
  answers?: FileRef;
}

/**
 * Reports on the weights that will be packaged, the last ones or with `save_best_model` the best: over the test set, or
 * the validation set when there is no test set, or nothing when there is neither. `package` writes exactly the file that
 * is named here, so the report is the packaged file's. `model.infer_samples` are classified by them, too.
 */
export async function evaluate(
  o: EvaluateInputs,
  compute: Evaluate,
  { echo }: { echo?: Echo } = {},
): Promise<StageResult<Evaluated>> {
  const { config } = await configOf(o.run);
  const best = config.exp_manager.checkpoint_callback_params.save_best_model && o.model.bestWeights !== undefined;
  const weights = best ? o.model.bestWeights! : o.model.lastWeights;
  const split = o.tokens.test ? 'test' : 'val';
  const { output, reused } = await evaluationOf(o, { config, weights, split, compute });
  if (split === 'test' && output.evaluation) await logTest(o, config, output.evaluation, echo);
  const answers = output.answers && (JSON.parse(await readFile(output.answers.path, 'utf8')) as SampleAnswer[]);
  if (answers) logAnswers(o.run, answers, echo);

  const { evaluation, reportFile, evaluations, charts } = output;
  const picked = best ? 'best' : 'last';
  const kept = {
    weights,
    picked,
    evaluations,
    charts,
    ...(output.answers ? { answers: output.answers } : {}),
    reused,
  } as const;
  if (evaluation === undefined || reportFile === undefined) {
    return { ...kept, detail: `nothing to evaluate on: set model.test_ds.file_path or model.validation_ds.file_path` };
  }
  const { report } = evaluation;
  const step = best ? o.model.best?.step : o.model.step;
  const onValidation = evaluationsAmong(await eventsIn(o.model.events)).findLast((past) => past.step === step);
  return {
    ...kept,
    scores: scoresOf(split, evaluation),
    ...(split === 'test' && onValidation ? { validation: scoresOf('val', onValidation) } : {}),
    reportFile,
    ...(report.classes.length <= reportedClasses ? { report } : {}),
    detail: `${split} accuracy ${report.accuracy.toFixed(4)}, macro F1 ${report.macro.f1.toFixed(4)}`,
  };
}

async function evaluationOf(
  o: EvaluateInputs,
  { config, weights, split, compute }: { config: Config; weights: FileRef; split: 'test' | 'val'; compute: Evaluate },
): Promise<{ output: Output; reused: boolean }> {
  const cache = split === 'test' ? o.tokens.test : o.tokens.validation;
  const dataset = split === 'test' ? config.model.test_ds : config.model.validation_ds;
  const limit = split === 'test' ? config.trainer.limit_test_batches : config.trainer.limit_val_batches;
  const samples = config.model.infer_samples ?? [];
  const inputs = {
    weights: weights.sha256,
    split,
    cache: cache?.file.sha256,
    batch: dataset.batch_size,
    limit,
    samples,
    events: o.model.events.sha256,
    format,
    redo: redoOf(o.run, 'evaluate'),
  };
  return stageOutput('evaluate', inputs, async ({ folder }) => {
    const job = await trainJobOf({ ...o, folder: o.run.folder });
    const encoderConfig = await encoderConfigOf(job.encoder);
    const tokenizer = await tokenizerOf(config, o.inputs);
    const longest = Math.min(longestSample, maxLength(parseEncoderConfig(encoderConfig, weights.path)));
    const rows = samples.map((text) => tokenizer.encode(text, longest));
    const idle = cache === undefined && rows.length === 0;
    const { evaluation, answers }: WeightsEvaluated = idle
      ? { answers: [] }
      : await compute({
          job,
          weights: weights.path,
          encoderConfig,
          ...(cache ? { on: { cache: cache.file.path, dataset, limit } } : {}),
          questions: { rows, padId: tokenizer.padId },
        });

    const write = async (name: string, content: string): Promise<FileRef> => {
      await writeFileAtomic(join(folder, name), content);
      return fileRef(join(folder, name));
    };
    const events = await eventsIn(o.model.events);
    // Without a test set the last validation is made again, of the file that is packaged: it takes the place of the first.
    const past = evaluationsAmong(events).filter((event) => event.split !== split || event.step !== o.model.step);
    const final = { type: 'eval', split, step: o.model.step, epoch: o.model.epoch } as const;
    const evaluations = evaluation ? [...past, { ...final, ...evaluation }] : past;
    return {
      ...(evaluation
        ? { evaluation, reportFile: await write('report.json', `${JSON.stringify(evaluation.report, null, 2)}\n`) }
        : {}),
      evaluations: await write('evaluations.jsonl', evaluations.map((event) => `${JSON.stringify(event)}\n`).join('')),
      charts: await Promise.all(
        Object.entries(await chartsOf(events, evaluation)).map(([name, svg]) => write(`${name}.svg`, svg)),
      ),
      ...(rows.length > 0
        ? {
            answers: await write(
              'answers.json',
              `${JSON.stringify(answersOf(samples, answers, job.labelNames), null, 2)}\n`,
            ),
          }
        : {}),
    };
  });
}

function answersOf(texts: readonly string[], logits: number[][], labels: string[] | undefined): SampleAnswer[] {
  return texts.map((text, i) => {
    const scores = Array.from(softmax(Float32Array.from(logits[i]!)));
    const score = Math.max(...scores);
    const labelId = scores.indexOf(score);
    return { text, labelId, label: labels?.[labelId] ?? String(labelId), score };
  });
}

/** Pictures of the run, as SVG by name; those for which there is something to draw. */
async function chartsOf(events: TrainEvent[], evaluation: Evaluation | undefined): Promise<Record<string, string>> {
  const train = events.filter((event) => event.type === 'step');
  const validation = evaluationsAmong(events);
  const report = evaluation?.report;
  return {
    ...(train.length > 0 ? { 'learning-curve': await drawLearningCurve({ train, validation }) } : {}),
    ...(validation.length > 0 ? { scores: await drawScoreCurves(validation) } : {}),
    ...(report && report.classes.length <= reportedClasses
      ? { 'confusion-matrix': await drawConfusionMatrix(report) }
      : {}),
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

async function eventsIn(file: FileRef): Promise<TrainEvent[]> {
  const lines = (await readFile(file.path, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as TrainEvent);
}

const evaluationsAmong = (events: TrainEvent[]): EpochEvaluated[] => events.filter((event) => event.type === 'eval');
