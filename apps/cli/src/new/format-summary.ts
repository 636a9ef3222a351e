import { counted, nautilCommand } from '@nautil/contracts';
import type { ChosenEncoder } from './choose-encoder.js';
import { commandOf, type NewConfig } from './format-new-config.js';

/** Fewer examples of a class teach little. */
const fewOfClass = 20;

/**
 * What was found and chosen, and the commands that train.
 *
 * @param o.isUp - whether the servers run
 * @param o.downloadProblem - why the first run would fail at its download
 */
export function formatSummary(
  config: NewConfig,
  { inspection, counter, encoder }: ChosenEncoder,
  { isUp, isLocal, downloadProblem }: { isUp: boolean; isLocal: boolean; downloadProblem: string | undefined },
): string {
  const { settings, percentile99 } = config;
  const rare = inspection.splits[0]?.classes.filter(({ count }) => count < fewOfClass).length ?? 0;
  const countOf = (areConflicts: boolean): number =>
    inspection.repetitions
      .filter(({ kind }) => (kind === 'conflict') === areConflicts)
      .reduce((sum, { count }) => sum + count, 0);
  const [conflicting, repeated] = [countOf(true), countOf(false)];
  const occur = (count: number): string => (count === 1 ? 'occurs' : 'occur');
  const shows = isLocal ? `; \`${nautilCommand('inspect', config.named.data, '--all')}\` lists them` : '';
  const warnings = [
    ...(counter.misfit === undefined
      ? []
      : [`${encoder.model} does not suit the texts: ${counter.misfit}; --encoder names another`]),
    ...(downloadProblem === undefined ? [] : [`the first run would fail at its download: ${downloadProblem}`]),
    ...(rare === 0
      ? []
      : [`${counted(rare, 'class', 'classes')} ${rare === 1 ? 'has' : 'have'} fewer than ${fewOfClass} examples`]),
    ...(percentile99 <= settings.maxSeqLength
      ? []
      : [`more than 1 % of the texts are longer than ${settings.maxSeqLength} tokens, and are cut there`]),
    ...(conflicting === 0
      ? []
      : [`${counted(conflicting, 'text')} ${occur(conflicting)} more than once with different labels${shows}`]),
    ...(repeated === 0 ? [] : [`${counted(repeated, 'text')} ${occur(repeated)} more than once${shows}`]),
  ];
  const { maxSeqLength, batchSize, accumulate, maxEpochs } = settings;
  const place =
    encoder.local === undefined
      ? 'which the first run downloads from the Hugging Face hub'
      : 'which is on this machine';
  return [
    ...inspection.notes,
    ...warnings.map((warning) => `warning: ${warning}`),
    '',
    `encoder   ${encoder.model}, ${place}`,
    `settings  learning rate ${encoder.lr.toExponential()}, ${maxSeqLength} tokens, batches of ${batchSize * accumulate}, ${config.isValidated ? 'at most ' : ''}${maxEpochs} epochs`,
    `wrote     ${config.file}`,
    ...(isUp ? [] : [`first     ${nautilCommand('up')}`]),
    `train it  ${commandOf(config.file)}`,
  ].join('\n');
}
