import { readFile } from 'node:fs/promises';
import type { EpochEvaluated, TextClassificationResult } from '@nautil/contracts';
import { formatHistory, formatReport } from '@nautil/metrics';

/** Prints what a run gave: scores by epoch and class, the archive, the run's address in MLflow. */
export async function showResult(
  result: TextClassificationResult,
  o: { json: boolean; uiUrl?: string | undefined },
): Promise<void> {
  if (o.json) {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  const out = (text: string): void => void process.stdout.write(`${text}\n`);
  const evaluations = await evaluationsOf(result);
  if (evaluations.length > 0) out(`\n${formatHistory(evaluations)}`);
  if (result.report) out(`\n${formatReport(result.report)}`);
  if (result.scores) {
    const { split, examples, accuracy, f1Macro } = result.scores;
    out(`\n${split} accuracy ${accuracy.toFixed(4)}, macro F1 ${f1Macro.toFixed(4)}, on ${examples} examples`);
  }
  out('');
  if (o.uiUrl) out(`Temporal  ${o.uiUrl}`);
  if (result.mlflowUrl) out(`MLflow    ${result.mlflowUrl}`);
  out(`model     ${result.nemo.path}`);
}

/** The evaluations of the run, when their file is on this machine. */
async function evaluationsOf({ evaluations }: TextClassificationResult): Promise<EpochEvaluated[]> {
  if (evaluations === undefined) return [];
  const text = await readFile(evaluations.path, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as EpochEvaluated);
}
