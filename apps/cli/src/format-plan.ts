import type { PlannedStage, RunPlan } from '@nautil/activities';
import { counted } from '@nautil/contracts';
import { formatBytes } from '@nautil/store';
import { formatDuration } from './terminal/format-duration.js';
import { wrapText } from './terminal/wrap-text.js';

/** Width of the titles, with the space after them. */
const titleWidth = 11;

/** The plan of a run: its stages, and what it needs. @param width - of the terminal */
export function formatPlan(plan: RunPlan, width: number): string {
  const facts: [title: string, text: string][] = [
    ...plan.stages.map((stage): [string, string] => [stage.stage, formatStage(stage)]),
    ...Object.entries({ steps: stepsOf(plan), time: timeOf(plan), memory: memoryOf(plan) }).filter(
      (fact): fact is [string, string] => fact[1] !== undefined,
    ),
    ...(plan.disks ?? []).map((disk): [string, string] => ['disk', formatDisk(disk)]),
    ...plan.notes.map((note): [string, string] => ['note', note]),
  ];
  const lines = facts.flatMap(([title, text]) =>
    text
      .split('\n')
      .flatMap((part) => wrapText(part, width - titleWidth))
      .map((line, i) => `${(i === 0 ? title : '').padEnd(titleWidth)}${line}`),
  );
  return [...lines, 'Nothing was started.'].join('\n');
}

const states: Record<PlannedStage['state'], string> = {
  cached: 'cached',
  prepared: 'was not cached; the dry run has prepared it',
  'in place': 'nothing to do',
  runs: 'not cached',
};

function formatStage({ state, seconds, detail }: PlannedStage): string {
  const time = state === 'runs' && seconds !== undefined ? `, about ${formatShort(seconds)}` : '';
  return `${states[state]}${time}${detail === undefined ? '' : `; ${detail}`}`;
}

function stepsOf({ training }: RunPlan): string | undefined {
  if (!training) return undefined;
  const { steps, total, epochs, batchesPerEpoch, batchSize, accumulatedBatches, devices, parameters } = training;
  const { evaluations, checkpoints, largestBatch, microBatches = 1, device } = training;
  const done = total - steps;
  return [
    `${counted(steps, 'step')}: ${counted(round(epochs), 'epoch')} of ${counted(batchesPerEpoch, 'batch', 'batches')} of ${batchSize}${devices > 1 ? ` on each of ${devices} devices` : ''}${accumulatedBatches > 1 ? `, ${accumulatedBatches} batches in a step` : ''}${done > 0 ? `, after ${counted(done, 'step')} of an earlier run` : ''}`,
    `${counted(evaluations, 'validation')} and ${counted(checkpoints, 'checkpoint')}`,
    `${formatCount(parameters)} trainable parameters${device === undefined ? '' : ` on ${device}`}`,
    ...(largestBatch ? [`the largest batch has ${largestBatch.rows} × ${largestBatch.length} tokens`] : []),
    ...(microBatches > 1 ? [`each batch is cut into ${microBatches} micro-batches, because it does not fit`] : []),
  ].join('\n');
}

function timeOf({ seconds, training }: RunPlan): string | undefined {
  if (!seconds) return undefined;
  const { total, perStep, perEvaluation } = seconds;
  return [
    `about ${formatDuration(total)}`,
    `${formatShort(perStep)} for a step, measured on ${counted(training?.timedSteps ?? 0, 'step')}`,
    ...(perEvaluation === undefined ? [] : [`${formatShort(perEvaluation)} for a validation`]),
  ].join('; ');
}

function memoryOf({ memory }: RunPlan): string | undefined {
  if (!memory) return undefined;
  const { peakBytes, availableBytes, basis } = memory;
  const found = {
    measured: 'about',
    extrapolated: 'about, extrapolated from smaller batches,',
    computed: 'more than',
  }[basis];
  return `${found} ${formatBytes(peakBytes)} at the peak; ${formatBytes(availableBytes)} are available`;
}

function formatDisk({ folders, peakBytes, keptBytes, freeBytes }: NonNullable<RunPlan['disks']>[number]): string {
  const free = freeBytes === undefined ? '' : `; ${formatBytes(freeBytes)} are free`;
  return `up to ${formatBytes(peakBytes)} during the run, up to ${formatBytes(keptBytes)} afterwards${free} (${folders.join(', ')})`;
}

/** `0.35 s`, `12 s`, `3 min 20 s`. */
const formatShort = (seconds: number): string =>
  seconds < 10 ? `${seconds.toPrecision(2)} s` : formatDuration(seconds);

/** `22.6 million` */
const formatCount = (count: number): string =>
  count < 1e6 ? count.toLocaleString('en') : `${(count / 1e6).toFixed(1)} million`;

const round = (value: number): number => Number(value.toFixed(2));
