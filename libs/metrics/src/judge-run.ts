import {
  type ClassificationReport,
  counted,
  type EpochEvaluated,
  type Finding,
  formatFigure,
  largest,
  type LoggedEvent,
} from '@nautil/contracts';
import { className } from './format-report.js';
import { improves, monitored } from './monitored.js';

/** What is known of a run once its weights are evaluated. */
export interface JudgedRun {
  /** Steps and validations of the training, in order. */
  events: readonly LoggedEvent[];

  /** Examples of the training split by label id. [classes] */
  trainCounts: readonly number[];

  /** Names by label id, if there are any. */
  labelNames?: readonly string[] | undefined;

  /** True if the loss of each example is weighted by its class. */
  isWeighted: boolean;

  /** The evaluation of the packaged weights, on the test or the validation set; absent without either. */
  final?: { split: 'val' | 'test'; report: ClassificationReport } | undefined;

  /** The packaged weights, and the best validation by `monitor`. */
  picked: 'last' | 'best';
  best?: { monitor: string; value: number; step: number } | undefined;
  mode: 'min' | 'max';

  /** What became of the texts of the training split. */
  texts: {
    examples: number;

    /** Texts that were cut. */
    truncated: number;

    /** Tokens without those that every row has, such as [CLS] and [SEP]. */
    tokens: number;

    /** Tokens that stand for a part of a text that the vocabulary lacks. */
    unknown: number;

    /** The length, in tokens, to which texts were cut. */
    maxLength: number;
  };

  /** The longest text that the encoder takes, in tokens, and the width of its hidden states. */
  encoder: { maxLength: number; hiddenSize: number };

  /** The settings that the remedies change. */
  settings: { optimizer: string; lr?: number | undefined; maxEpochs: number };
}

/**
 * Fraction by which the training loss must be below that of a model that only knows how frequent the classes are. Without
 * learning, the loss is at least the entropy of the classes. The mean of 100 batches of 32 examples varies by about 1 %
 * (a standard deviation of 0.3 for each example, ln 2 = 0.69 in the mean), so 3 % is three times that. The weakest model that has
 * learned has more: an accuracy of 0.60 with two classes means a loss of about 0.67, 3 % below ln 2.
 */
const leastImprovement = 0.03;

/**
 * Part of the errors of a model at the level of chance that one that has learned avoids: an accuracy of 0.60 with two equal classes, as
 * above.
 */
const leastGain = 0.2;

/** The last steps whose mean loss is judged: enough that it varies little, and few enough that they are of the trained model. */
const judgedSteps = 100;

/**
 * Examples of the other classes that must all be missed before a model counts as one that gives a single answer. A model with a recall of
 * one half misses five of five by chance once in 32 evaluations, and a single rare example often.
 */
const leastMissed = 5;

/** How much worse a monitored loss must be than the best. Between equally good epochs, it varies by a few percent. */
const worseLoss = 0.05;

/** How far the accuracy must be below that on the training examples. A well-trained classifier of sentences has a gap of 5 to 10 points. */
const largestGap = 0.15;

/** The fraction of cut texts that is reported: fewer can't change the accuracy by more than a point. */
const mostTruncated = 0.01;

/**
 * The fraction of unknown tokens that is reported. English text with an English vocabulary has 0 to 1 % (emoji, rare characters),
 * Chinese text (THUCNews) with the vocabulary of bert-base-uncased has 60 %.
 */
export const mostUnknown = 0.05;

/** More names are cut off in a sentence. */
const namedClasses = 5;

/**
 * Lists the reasons why a run's model may be useless or worse than necessary, each as one sentence with a setting that remedies it. It
 * lists nothing for a model that has learned.
 */
export function judgeRun(run: JudgedRun): Finding[] {
  return [
    chanceLoss(run),
    oneClass(run),
    notBest(run),
    overfitted(run),
    withoutTrainingExamples(run),
    withoutEvaluationExamples(run),
    truncatedTexts(run),
    unknownTokens(run),
  ].filter((finding) => finding !== undefined);
}

/**
 * A training loss at the level of chance, and scores that are there, too. The loss alone is not enough: it is a mean over steps in which a
 * model of few steps is still learning.
 */
function chanceLoss(run: JudgedRun): Finding | undefined {
  const { loss, steps } = trainingLoss(run);
  const chance = run.isWeighted ? Math.log(run.trainCounts.filter((n) => n > 0).length) : entropyOf(run.trainCounts);
  // With examples of one class, there is nothing to learn.
  if (loss === undefined || chance === 0 || loss < chance * (1 - leastImprovement) || isAboveChance(run))
    return undefined;
  const how = run.isWeighted ? 'chooses a class by chance' : 'knows only how frequent the classes are';
  return {
    code: 'chance-loss',
    sentence: `the model did not learn: the mean loss of its ${steps === 1 ? 'last step' : `last ${steps} steps`} is ${loss.toFixed(3)}, and that of a model that ${how} is ${chance.toFixed(3)}`,
    remedy: learnMore(run),
  };
}

/**
 * Whether the evaluation shows that the model has learned: its accuracy is well above the share of the largest class, or, if the classes
 * have equal weights, its mean recall is well above that of a choice by chance.
 */
function isAboveChance({ final, isWeighted }: JudgedRun): boolean {
  const classes = final?.report.classes.filter(({ support }) => support > 0) ?? [];
  if (final === undefined || classes.length < 2) return false;
  const { accuracy, support } = final.report;
  const share = largest(classes.map((one) => one.support)) / support;
  const chance = isWeighted ? 1 / classes.length : share;
  const score = isWeighted ? classes.reduce((sum, { recall }) => sum + recall, 0) / classes.length : accuracy;
  // The variance of the mean of one recall for each class, and of a fraction of all examples.
  const examples = isWeighted ? classes.length ** 2 / classes.reduce((sum, one) => sum + 1 / one.support, 0) : support;
  const standardError = Math.sqrt((chance * (1 - chance)) / examples);
  return score - chance > Math.max(leastGain * (1 - chance), 3 * standardError);
}

function oneClass(run: JudgedRun): Finding | undefined {
  const { final } = run;
  if (final === undefined) return undefined;
  const { classes, confusion, support } = final.report;
  const predicted = classes.filter((_, id) => confusion.some((row) => (row[id] ?? 0) > 0));
  const [only] = predicted;
  if (only === undefined || predicted.length > 1 || support - only.support < leastMissed) return undefined;
  return {
    code: 'one-class',
    sentence: `the model gives the label ${className(only)} to all ${counted(support, `${nameOf[final.split]} example`)}, of which ${support - only.support} have another`,
    remedy: isImbalanced(run) && !run.isWeighted ? 'model.dataset.class_balancing=weighted_loss' : learnMore(run),
  };
}

function notBest({ events, picked, best, mode }: JudgedRun): Finding | undefined {
  const last = evaluationsIn(events).at(-1);
  if (picked === 'best' || best === undefined || last === undefined || best.step >= last.step) return undefined;
  const value = monitored(best.monitor, last);
  if (value === undefined || improves(value, best.value, mode, 0) || !isClearlyWorse(value, best, last.report.support))
    return undefined;
  return {
    code: 'not-best',
    sentence: `the archive has the weights of the last step, ${last.step}, with a ${best.monitor} of ${formatFigure(value)}; at step ${best.step} it was better, ${formatFigure(best.value)}`,
    remedy: 'exp_manager.checkpoint_callback_params.save_best_model=true',
  };
}

/** Whether a value differs from the best by more than chance: a loss by 5 %, a score in percent by its standard error. */
function isClearlyWorse(value: number, best: { monitor: string; value: number }, examples: number): boolean {
  if (best.monitor.endsWith('loss')) return value > best.value * (1 + worseLoss);
  const p = best.value / 100;
  return best.value - value > 100 * Math.sqrt((p * (1 - p)) / examples);
}

/**
 * An example that is classified wrongly has a loss of at least ln 2, because the true class then has a probability of at most one
 * half. A training loss of L therefore means an accuracy of at least 1 - L / ln 2 on the training examples, which are not
 * evaluated.
 */
function overfitted(run: JudgedRun): Finding | undefined {
  const { final } = run;
  const { loss } = trainingLoss(run);
  if (final === undefined || loss === undefined || run.isWeighted) return undefined;
  const onTraining = 1 - loss / Math.LN2;
  const { accuracy } = final.report;
  if (onTraining - accuracy <= largestGap) return undefined;
  const { epoch = 0 } = evaluationsIn(run.events).find(({ step }) => step === run.best?.step) ?? {};
  const isEarlier = run.best !== undefined && epoch + 1 < run.settings.maxEpochs;
  return {
    code: 'overfitted',
    sentence: `the model knows its training examples by heart: its accuracy on them is at least ${onTraining.toFixed(3)}, and ${accuracy.toFixed(3)} on the ${nameOf[final.split]} examples; more training examples help most`,
    remedy: isEarlier ? `trainer.max_epochs=${epoch + 1}` : 'model.classifier_head.fc_dropout=0.3',
  };
}

function withoutTrainingExamples({ trainCounts, labelNames }: JudgedRun): Finding | undefined {
  const missing = trainCounts.flatMap((count, id) => (count === 0 ? [labelNames?.[id] ?? String(id)] : []));
  if (missing.length === 0) return undefined;
  return {
    code: 'no-training-examples',
    sentence: `${classesHave(missing)} no training examples, so the model never gives such a label; add examples, or number only the classes that have some`,
    remedy: 'nautil.data.relabel=true model.dataset.num_classes=null',
  };
}

function withoutEvaluationExamples({ final }: JudgedRun): Finding | undefined {
  const missing = final?.report.classes.filter(({ support }) => support === 0).map(className) ?? [];
  if (final === undefined || missing.length === 0) return undefined;
  const key = final.split === 'val' ? 'validation_ds' : 'test_ds';
  return {
    code: 'no-evaluation-examples',
    sentence: `${classesHave(missing)} no ${nameOf[final.split]} examples, so the scores do not show how well the model knows them; name a file with examples of every class`,
    remedy: `model.${key}.file_path=FILE`,
  };
}

function truncatedTexts({ texts, encoder }: JudgedRun): Finding | undefined {
  const { truncated, examples, maxLength } = texts;
  if (truncated <= examples * mostTruncated) return undefined;
  const isLongest = maxLength >= encoder.maxLength;
  return {
    code: 'truncated-texts',
    sentence: `${truncated} of ${examples} training texts (${percentOf(truncated, examples)}) ${truncated === 1 ? 'is' : 'are'} longer than ${maxLength} tokens, and the model never sees the rest${isLongest ? '; its encoder takes no longer ones' : ''}`,
    remedy: isLongest
      ? 'model=modernbert-base'
      : `model.dataset.max_seq_length=${Math.min(2 * maxLength, encoder.maxLength)}`,
  };
}

function unknownTokens({ texts: { unknown, tokens } }: JudgedRun): Finding | undefined {
  if (unknown <= tokens * mostUnknown) return undefined;
  return {
    code: 'unknown-tokens',
    sentence: `${percentOf(unknown, tokens)} of the tokens of the training texts are [UNK], because the vocabulary of the encoder lacks these characters; choose an encoder for the language of the texts (Chinese: model=bert-base-chinese)`,
    remedy: 'model=bert-base-multilingual-cased',
  };
}

/**
 * The learning rate with which Adam trains an encoder of a width well. See the presets in `conf/model`: 1e-4 is the best of MiniLM (384
 * wide), 3e-5 the middle of BERT-base's grid (768), and 1e-5 is RoBERTa-large's (1024).
 */
export const learningRateForWidth = (hiddenSize: number): number =>
  hiddenSize < 512 ? 1e-4 : hiddenSize < 1024 ? 3e-5 : 1e-5;

/** The suitable learning rate; if the rate is near that already, more epochs. */
function learnMore({ encoder: { hiddenSize }, settings }: Pick<JudgedRun, 'encoder' | 'settings'>): string {
  const { optimizer, lr, maxEpochs } = settings;
  const suitable = learningRateForWidth(hiddenSize);
  const isNear = lr !== undefined && lr > suitable / 3 && lr < suitable * 3;
  if (!optimizer.startsWith('adam')) return `model.optim.name=adamw model.optim.lr=${suitable.toExponential()}`;
  return isNear ? `trainer.max_epochs=${2 * maxEpochs}` : `model.optim.lr=${suitable.toExponential()}`;
}

/** Mean loss of the last steps of the last epoch, and their number; without a step, no loss. */
function trainingLoss({ events }: Pick<JudgedRun, 'events'>): { loss?: number; steps: number } {
  const all = events.filter((event) => event.type === 'step');
  const epoch = all.at(-1)?.epoch;
  const losses = all.filter((step) => step.epoch === epoch).slice(-judgedSteps);
  const steps = losses.length;
  return steps === 0 ? { steps } : { loss: losses.reduce((sum, { loss }) => sum + loss, 0) / steps, steps };
}

/** In nats: the mean loss of a model that gives each class its frequency as its probability. */
function entropyOf(counts: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.reduce((sum, n) => (n === 0 ? sum : sum - (n / total) * Math.log(n / total)), 0);
}

/** Whether four of five examples belong to one class. */
function isImbalanced({ trainCounts }: Pick<JudgedRun, 'trainCounts'>): boolean {
  return largest(trainCounts) > 0.8 * trainCounts.reduce((sum, count) => sum + count, 0);
}

const evaluationsIn = (events: readonly LoggedEvent[]): EpochEvaluated[] =>
  events.filter((event) => event.type === 'eval').filter(({ split }) => split === 'val');

const nameOf = { val: 'validation', test: 'test' };

const percentOf = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;

function classesHave(names: readonly string[]): string {
  const more = names.length > namedClasses ? `, and ${names.length - namedClasses} more` : '';
  return `${names.length === 1 ? 'the class' : 'the classes'} ${names.slice(0, namedClasses).join(', ')}${more} ${names.length === 1 ? 'has' : 'have'}`;
}
