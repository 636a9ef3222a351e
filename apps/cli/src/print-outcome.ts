import {
  type ClassificationReport,
  counted,
  type FileRef,
  type Finding,
  findingLine,
  type KeptArchive,
  keptSentence,
  type RunScores,
} from '@nautil/contracts';
import { formatHistory, formatReport, macroNote } from '@nautil/metrics';
import { printMessage, printResult } from './output.js';
import { readEvaluations } from './read-evaluations.js';

/** What a run produced. */
export interface RunOutcome {
  nemo: FileRef;

  /** Which weights the archive has. */
  weights?: 'last' | 'best' | undefined;

  evaluations?: FileRef | undefined;
  report?: ClassificationReport | undefined;
  scores?: RunScores | undefined;
  temporalUrl?: string | undefined;
  mlflowUrl?: string | undefined;
  findings?: Finding[] | undefined;
  kept?: KeptArchive[] | undefined;
  trackingWarnings?: string[] | undefined;
}

const packagedWeights = {
  last: 'those of the last step; with exp_manager.checkpoint_callback_params.save_best_model=true, those of the best validation, if any',
  best: 'those of the best validation (exp_manager.checkpoint_callback_params.save_best_model)',
};

/** Prints the scores of a run by epoch and by class, its addresses, its archive with the choice of weights, and what MLflow lacks. */
export async function printOutcome({
  nemo,
  weights,
  evaluations,
  report,
  scores,
  findings = [],
  kept = [],
  trackingWarnings = [],
  ...urls
}: RunOutcome): Promise<void> {
  const history = evaluations === undefined ? [] : await readEvaluations(evaluations.path);
  if (history.length > 0) await printResult(`\n${formatHistory(history)}`);
  if (report) await printResult(`\n${formatReport(report)}`);
  if (scores) {
    const { split, examples, accuracy, f1Macro } = scores;
    await printResult(
      `\n${split} accuracy ${accuracy.toFixed(4)}, macro F1 ${f1Macro.toFixed(4)}, on ${counted(examples, 'example')}`,
    );
  }
  const note = report && macroNote(report);
  if (note !== undefined) await printResult(note);
  await printResult('');
  if (urls.temporalUrl !== undefined) await printResult(`Temporal  ${urls.temporalUrl}`);
  if (urls.mlflowUrl !== undefined) await printResult(`MLflow    ${urls.mlflowUrl}`);
  await printResult(`model     ${nemo.path}`);
  for (const archive of kept) await printResult(`kept      ${keptSentence(archive)}`);
  if (weights !== undefined) await printResult(`weights   ${packagedWeights[weights]}`);
  for (const finding of findings) await printResult(`problem   ${findingLine(finding)}`);
  for (const warning of trackingWarnings) printMessage(`warning: ${warning}`);
}
