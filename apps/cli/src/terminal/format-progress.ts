import pc from 'picocolors';
import {
  largest,
  type Progress,
  type Stage,
  stageNames,
  type StageState,
  type TrainingProgress,
} from '@nautil/contracts';
import { cutToWidth, displayWidth } from '@nautil/metrics';
import { formatDuration } from './format-duration.js';
import { wrapText } from './wrap-text.js';

/** A stage in the list of a run. */
export interface ShownStage {
  stage: Stage;
  state: StageState;
  detail?: string | undefined;
}

const marks: Record<StageState, string> = {
  waiting: ' ',
  running: pc.cyan('▸'),
  paused: pc.yellow('‖'),
  done: pc.green('✓'),
  reused: pc.green('✓'),
  failed: pc.red('✗'),
};

const longestName = largest(stageNames.map(({ length }) => length));

/** Cells before the detail: the mark, a space, the name, two spaces. */
const detailColumn = 2 + longestName + 2;

const narrowestBar = 8;
const widestBar = 24;

/** Lines for a stage, whose detail is broken at the width of the terminal. */
export function formatStage({ stage, state, detail = '' }: ShownStage, width: number): string[] {
  const shown = state === 'reused' ? `reused, ${detail}` : state === 'failed' ? 'failed' : detail;
  const [first = '', ...more] = wrapText(shown, Math.max(narrowestBar, width - detailColumn));
  const name = state === 'waiting' ? pc.dim(stage.padEnd(longestName)) : stage.padEnd(longestName);
  return [`${marks[state]} ${name}  ${first}`.trimEnd(), ...more.map((line) => `${' '.repeat(detailColumn)}${line}`)];
}

/** The line of the stage that trains: epoch, bar, step, loss, speed and time left, with fewer of them on a narrow terminal. */
export function formatTrainingStage(training: TrainingProgress, width: number, state: StageState = 'running'): string {
  const line = formatTraining(training, Math.max(0, width - detailColumn));
  return `${marks[state]} ${'train'.padEnd(longestName)}  ${line}`;
}

/** A training in one line of at most `width` cells. */
export function formatTraining(training: TrainingProgress, width: number): string {
  const { step, totalSteps, epoch } = training;
  const head = `epoch ${epoch + 1}`;
  const facts = factsOf(training);
  for (let shown = facts.length; shown >= 0; shown--) {
    const tail = facts.slice(0, shown).join('  ');
    const free = width - displayWidth(`${head}    ${tail}`);
    if (free >= narrowestBar) return `${head}  ${bar(step / totalSteps, Math.min(widestBar, free))}  ${tail}`.trimEnd();
  }
  return cutToWidth(`${head}  ${facts[0]}`, width);
}

/** The most important first. */
const factsOf = (training: TrainingProgress): string[] => {
  const { loss, speed, left } = figuresOf(training);
  return [`step ${training.step}/${training.totalSteps}`, ...[loss, left, speed].filter((fact) => fact !== undefined)];
};

/** The figures of a training in words, as far as they are known. NaN, which JSON cannot hold, arrives as null. */
export const figuresOf = ({
  loss,
  examplesPerSecond,
  secondsLeft,
}: TrainingProgress): { loss?: string; speed?: string; left?: string } => ({
  ...(Number.isFinite(loss) && { loss: `loss ${formatLoss(loss)}` }),
  ...(Number.isFinite(examplesPerSecond) && { speed: `${formatSpeed(examplesPerSecond)} examples/s` }),
  ...(Number.isFinite(secondsLeft) && { left: `${formatDuration(secondsLeft)} left` }),
});

function bar(fraction: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * width);
  return `${'━'.repeat(full)}${'─'.repeat(width - full)}`;
}

/** Four decimals, or two significant digits of a loss that they would show as 0. */
export const formatLoss = (loss: number): string =>
  loss !== 0 && Math.abs(loss) < 0.001 ? loss.toPrecision(2) : loss.toFixed(4);

/** Whole numbers, and one decimal below ten. */
export const formatSpeed = (perSecond: number): string => perSecond.toFixed(perSecond < 9.95 ? 1 : 0);

/** The stages of a run as a list, with the progress of its training. */
export function formatProgress(
  { stages, training }: Pick<Progress, 'stages' | 'training'>,
  { width }: { width: number },
): string[] {
  return stages.flatMap((shown) =>
    shown.stage === 'train' && ['running', 'paused'].includes(shown.state) && training
      ? [formatTrainingStage(training, width === Infinity ? 100 : width, shown.state)]
      : formatStage(shown, width),
  );
}
