import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Config, keysAffecting } from '@nautil/config';
import type {
  CachedInputs,
  EpochEvaluated,
  Evaluated,
  FileRef,
  Finding,
  JsonObject,
  ResolvedRun,
  RunScores,
  StageResult,
  TokenizedData,
  TrainedModel,
} from '@nautil/contracts';
import { counted, formatFigure, valueAt } from '@nautil/contracts';
import { parseLoggedEvents, parseSampleAnswers, type StoredEvaluation } from '@nautil/contracts/schemas';
import { pairOf } from '@nautil/datasets';
import { type JudgedRun, judgeRun } from '@nautil/metrics';
import { parseEncoderConfig } from '@nautil/model';
import { type Echo, logAnswers, logTest } from '@nautil/nemo';
import { fileRef, requireIntact, stageOutput, writeFileAtomic } from '@nautil/store';
import type { Tokenizer, TokenizerDefinition } from '@nautil/tokenization';
import { encoderConfigOf, type EvaluateWeightsOptions, type Evaluation, type WeightsEvaluated } from '@nautil/training';
import { drawCharts } from './draw-charts.js';
import { truncationLength } from './encoder-limits.js';
import { configOf, redoOf } from './run-settings.js';
import { sampleAnswers } from './sample-answers.js';
import { tokenStatistics } from './token-statistics.js';
import { tokenizerOf } from './tokenize.js';
import { trainJobOf } from './train-job.js';

/** Computes an evaluation, in a trainer process or in this one. */
export type Evaluate = (options: EvaluateWeightsOptions) => Promise<WeightsEvaluated>;

/** With more classes, the report is too large for a payload and for a chart. */
const reportedClasses = 200;

/** NeMo's script truncates `infer_samples` to this number of tokens, whatever the length in training. */
const longestSample = 512;

interface EvaluateInputs {
  run: ResolvedRun;
  inputs: CachedInputs;
  tokens: TokenizedData;
  model: TrainedModel;
}

/** Version of the stored output. Raise it when the output changes, so that outputs of older code are not reused. */
const outputVersion = 6;

/** The stored output of the stage. */
interface Output {
  evaluation?: Evaluation;
  reportFile?: FileRef;
  evaluations: FileRef;
  charts: FileRef[];
  answers?: FileRef;
  findings: Finding[];
}

/**
 * Evaluates the weights that will be packaged (the last ones, or the best with `save_best_model`) on the test set, or else on
 * the validation set; without either, there is no report. Also classifies `model.infer_samples`. The `package` stage writes
 * exactly these weights, so the report describes the packaged file.
 */
export async function evaluate(
  o: EvaluateInputs,
  compute: Evaluate,
  { echo }: { echo?: Echo } = {},
): Promise<StageResult<Evaluated>> {
  const { tree, config } = await configOf(o.run);
  const bestWeights = config.exp_manager.checkpoint_callback_params.save_best_model ? o.model.bestWeights : undefined;
  const weights = bestWeights ?? o.model.lastWeights;
  const picked = bestWeights ? 'best' : 'last';
  const split = o.tokens.test ? 'test' : 'val';
  await requireIntact(o.model.events);
  const { best, step, epoch } = bestWeights ? o.model : { ...o.model, best: undefined };
  const at = { step: best?.step ?? step, epoch: best?.epoch ?? epoch };
  const { output, reused, ...stored } = await evaluationOf(o, { tree, config, weights, picked, at, split, compute });
  const warnings = [...stored.warnings, ...unpairedSamples(o, config)];
  if (split === 'test' && output.evaluation) await logTest(o, config, output.evaluation, echo);
  const answers =
    output.answers && parseSampleAnswers(await readFile(output.answers.path, 'utf8'), output.answers.path);
  if (answers) logAnswers(o.run, answers, echo);

  const { evaluation, reportFile, evaluations, charts, findings } = output;
  const kept = {
    weights,
    picked,
    step: at.step,
    stopReason: o.model.reason,
    evaluations,
    charts,
    ...(output.answers ? { answers: output.answers } : {}),
    ...(findings.length > 0 && { findings }),
    reused,
    notes: warnings,
  } as const;
  const which = best
    ? `best weights (step ${best.step}, ${best.monitor} ${formatFigure(best.value)})`
    : `last weights (step ${step})`;
  if (evaluation === undefined || reportFile === undefined) {
    return {
      ...kept,
      detail: `${which}; no report: there is neither a test set nor a validation set, or trainer.limit_test_batches and limit_val_batches are 0`,
    };
  }
  const { report } = evaluation;
  const onValidation = (await loggedEvents(o.model.events))
    .filter((event) => event.type === 'eval')
    .findLast((past) => past.step === at.step);
  return {
    ...kept,
    scores: scoresOf(split, evaluation),
    ...(split === 'test' && onValidation ? { validation: scoresOf('val', onValidation) } : {}),
    reportFile,
    ...(report.classes.length <= reportedClasses ? { report } : {}),
    detail: `${which}: ${split} accuracy ${report.accuracy.toFixed(4)}, macro F1 ${report.macro.f1.toFixed(4)}`,
  };
}

async function evaluationOf(
  o: EvaluateInputs,
  {
    tree,
    config,
    weights,
    picked,
    at,
    split,
    compute,
  }: {
    tree: JsonObject;
    config: Config;
    weights: FileRef;
    picked: 'last' | 'best';

    /** When the training had these weights. */
    at: { step: number; epoch: number };
    split: 'test' | 'val';
    compute: Evaluate;
  },
): Promise<{ output: Output; reused: boolean; warnings: string[] }> {
  const cache = split === 'test' ? o.tokens.test : o.tokens.validation;
  const dataset = split === 'test' ? config.model.test_ds : config.model.validation_ds;
  const limit = split === 'test' ? config.trainer.limit_test_batches : config.trainer.limit_val_batches;
  const samples = samplesOf(o, config);
  const shown = valueAt(tree, 'model.infer_samples');
  const shownTexts = Array.isArray(shown) ? shown.map(String) : [];
  const shownSamples = samples.map((sample) => shownTexts[sample.at] ?? sample.text);
  const inputs = {
    weights: weights.sha256,
    picked,
    split,
    train: o.tokens.train.file.sha256,
    cache: cache?.file.sha256,
    config: keysAffecting(['training', 'evaluation'], config, { paths: false }),
    labels: o.inputs.data.labels?.sha256,
    tokenizer: o.tokens.tokenizerDigest,
    events: o.model.events.sha256,
    format: outputVersion,
    redo: redoOf(o.run, 'evaluate'),
  };
  return stageOutput('evaluate', inputs, async ({ folder }) => {
    await requireIntact([weights, cache, o.tokens.train]);
    const job = await trainJobOf({ ...o, folder: o.run.folder });
    const encoderConfig = await encoderConfigOf(job.encoder);
    const tokenizer = await tokenizerOf(config, o.inputs);
    const encoder = parseEncoderConfig(encoderConfig, weights.path);
    const longest = Math.min(longestSample, encoder.maxLength);
    const { rows, firstLengths } = encodedSamples(tokenizer, samples, longest);
    const idle = cache === undefined && rows.length === 0;
    const { evaluation, answers }: WeightsEvaluated = idle
      ? { answers: [] }
      : await compute({
          job,
          weights: weights.path,
          encoderConfig,
          ...(cache ? { on: { cache: cache.file.path, dataset, limit } } : {}),
          questions: { rows, padId: tokenizer.padId, ...(firstLengths ? { firstLengths } : {}) },
        });

    const write = async (name: string, content: string): Promise<FileRef> => {
      await writeFileAtomic(join(folder, name), content);
      return fileRef(join(folder, name));
    };
    const events = await loggedEvents(o.model.events);
    // Without a test set, the validation of these weights is repeated with the file that is packaged, and replaces the original one.
    const validations = events.filter((event) => event.type === 'eval');
    const isRepeated = ({ split: other, step }: EpochEvaluated): boolean => other === split && step === at.step;
    const past = validations.filter((event) => !isRepeated(event));
    const { timestampMs } = validations.findLast(isRepeated) ?? {};
    const { report } = evaluation ?? {};
    const charted = report && report.classes.length <= reportedClasses ? report : undefined;
    const final = evaluation && { type: 'eval' as const, split, ...at, ...evaluation, timestampMs };
    const evaluations = markBest(final ? [...past, final] : past, o.model.best);
    return {
      ...(evaluation
        ? { evaluation, reportFile: await write('report.json', `${JSON.stringify(evaluation.report, null, 2)}\n`) }
        : {}),
      evaluations: await write('evaluations.jsonl', evaluations.map((event) => `${JSON.stringify(event)}\n`).join('')),
      charts: await Promise.all(
        Object.entries(await drawCharts(events, charted)).map(([name, svg]) => write(`${name}.svg`, svg)),
      ),
      ...(rows.length > 0
        ? {
            answers: await write(
              'answers.json',
              `${JSON.stringify(sampleAnswers(shownSamples, answers, job.labelNames), null, 2)}\n`,
            ),
          }
        : {}),
      findings: judgeRun({
        events,
        ...trainingTextsOf(o, {
          definition: tokenizer.definition,
          maxLength: truncationLength(config, encoder).tokens,
        }),
        labelNames: job.labelNames,
        isWeighted: job.classWeights !== undefined,
        ...(evaluation && { final: { split, report: evaluation.report } }),
        picked,
        best: o.model.best,
        mode: config.exp_manager.checkpoint_callback_params.mode,
        encoder,
        settings: {
          optimizer: config.model.optim.name,
          lr: config.model.optim.lr,
          maxEpochs: o.model.epoch + 1,
        },
      }),
    };
  });
}

/** What the token cache of the training split shows about its texts. */
function trainingTextsOf(
  { inputs, tokens }: Pick<EvaluateInputs, 'inputs' | 'tokens'>,
  { definition, maxLength }: { definition: TokenizerDefinition; maxLength: number },
): Pick<JudgedRun, 'trainCounts' | 'texts'> {
  const { file, examples, truncated = 0 } = tokens.train;
  const { labelCounts, ...counts } = tokenStatistics(file.path, { numClasses: inputs.data.numClasses, definition });
  return { trainCounts: labelCounts, texts: { examples, truncated, maxLength, ...counts } };
}

/** A text, or pair of texts, of `model.infer_samples`, and its index there. */
interface Sample {
  at: number;
  text: string;
  pair: [first: string, second: string] | undefined;
}

/** The texts to classify after the training. A model of pairs has none for a text without a tab, such as those of NeMo's configuration. */
function samplesOf({ inputs }: EvaluateInputs, { model }: Config): Sample[] {
  const all = (model.infer_samples ?? []).map((text, at) => ({ at, text, pair: pairOf(text) }));
  return inputs.data.pairs === true
    ? all.filter(({ pair }) => pair !== undefined)
    : all.map((sample) => ({ ...sample, pair: undefined }));
}

/** A note on texts of `model.infer_samples` that a model of pairs cannot classify. */
function unpairedSamples(o: EvaluateInputs, config: Config): string[] {
  const count = (config.model.infer_samples?.length ?? 0) - samplesOf(o, config).length;
  if (count === 0) return [];
  return [
    `${counted(count, 'text')} of model.infer_samples ${count === 1 ? 'is' : 'are'} not classified: the model reads pairs, and a pair is a text, a tab, and a second text`,
  ];
}

/** The token ids of samples, and of pairs the number of tokens of each first segment. */
function encodedSamples(
  tokenizer: Tokenizer,
  samples: readonly Sample[],
  longest: number,
): { rows: number[][]; firstLengths?: number[] } {
  if (samples.every(({ pair }) => pair === undefined))
    return { rows: samples.map(({ text }) => tokenizer.encode(text, longest)) };
  const encoded = samples.map(({ text, pair = [text, ''] }) => tokenizer.encodePair(...pair, longest));
  return { rows: encoded.map(({ ids }) => ids), firstLengths: encoded.map(({ firstLength }) => firstLength) };
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

const loggedEvents = async ({ path }: FileRef) => parseLoggedEvents(await readFile(path, 'utf8'), path);

/** The evaluations, of which the best validation has the name of the monitor. */
const markBest = (evaluations: readonly StoredEvaluation[], best: TrainedModel['best']): StoredEvaluation[] =>
  evaluations.map((evaluation) =>
    evaluation.split === 'val' && evaluation.step === best?.step ? { ...evaluation, bestBy: best.monitor } : evaluation,
  );
