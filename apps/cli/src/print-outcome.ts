import {
  type ClassificationReport,
  type FileRef,
  type Finding,
  findingLine,
  type KeptArchive,
  keptSentence,
  nautilCommand,
  type RunScores,
  scoresSentence,
  type StopReason,
} from '@nautil/contracts';
import { formatHistory, formatReport, macroNote } from '@nautil/metrics';
import { printMessage, printResult } from './output.js';
import { readEvaluations } from './read-evaluations.js';
import { formatFact } from './terminal/format-fact.js';
import { proseWidth, terminalWidth } from './terminal/terminal-width.js';
import { wrapText } from './terminal/wrap-text.js';
import { overridesToContinue } from './trainer/how-to-continue.js';
import { tryCommand } from './try-command.js';

/** What a run produced. */
export interface RunOutcome {
  nemo: FileRef;

  /** The name of the run. */
  workflowId: string;

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

  /** Why the training ended. */
  stopReason?: StopReason | undefined;

  /** Where the run logged, if that is known. */
  logDir?: string | undefined;

  /** The words that follow `nautil` in the command that runs it again. */
  again: readonly string[];

  /** How many of NeMo's tables, one for each evaluation, have been printed already; default 0. */
  tablesShown?: number | undefined;
}

const packagedWeights = {
  last: 'those of the last step; with exp_manager.checkpoint_callback_params.save_best_model=true, those of the best validation, if any',
  best: 'those of the best validation (exp_manager.checkpoint_callback_params.save_best_model)',
};

/**
 * Prints the scores of a run by epoch, and by class unless the terminal shows them in NeMo's tables; its addresses, its archive with the
 * choice of weights, what MLflow lacks, and three commands: to try the model, to look at the run, and to train it further.
 */
export async function printOutcome(outcome: RunOutcome): Promise<void> {
  const { nemo, weights, evaluations, report, scores, findings = [], kept = [], trackingWarnings = [] } = outcome;
  const [tableWidth, width] = [terminalWidth(), proseWidth()];
  const history = evaluations === undefined ? [] : await readEvaluations(evaluations.path);
  // The report below has the only evaluation on the test set.
  const validations = history.filter(({ split }) => split === 'val' || report === undefined);
  // NeMo's tables are messages, so a pipe of the results lacks them.
  const { isTTY } = process.stdout;
  const byClass = !isTTY || history.length === 0 || (outcome.tablesShown ?? 0) < history.length;
  if (validations.length > 0) await printResult(`\n${formatHistory(validations, { width: tableWidth, byClass })}`);
  if (report && byClass && (!isTTY || scores?.split === 'test' || validations.length === 0))
    await printResult(`\n${scores?.split === 'test' ? 'test\n' : ''}${formatReport(report, { width: tableWidth })}`);
  if (scores) await printResult(`\n${scoresSentence(scores)}`);
  const note = report && macroNote(report);
  if (note !== undefined) await printResult(wrapText(note, width).join('\n'));
  await printResult('');
  if (outcome.temporalUrl !== undefined) await printFact('Temporal', outcome.temporalUrl, width);
  if (outcome.mlflowUrl !== undefined) await printFact('MLflow', outcome.mlflowUrl, width);
  await printFact('model', nemo.path, width);
  for (const archive of kept) await printFact('kept', keptSentence(archive), width);
  if (weights !== undefined) await printFact('weights', packagedWeights[weights], width);
  for (const finding of findings) await printFact('problem', findingLine(finding), width);
  for (const warning of trackingWarnings) printMessage(`warning: ${warning}`);
  await printResult('');
  await printFact('try it', tryCommand(nemo.path), Infinity);
  await printFact('look', nautilCommand('runs', 'show', outcome.workflowId), Infinity);
  // A model without a mistake has nothing to gain from further training.
  if (scores?.accuracy === 1) return;
  const epochs = history.reduce((most, { epoch }) => Math.max(most, epoch + 1), 0);
  await printFact('go on', await furtherTraining(outcome, epochs), Infinity);
}

const printFact = (title: string, text: string, width: number): Promise<void> =>
  printResult(formatFact(title, text, width));

/**
 * The command that trains the model for twice as many epochs: from its last checkpoint, if the log folder has it, and otherwise from the
 * start. A training that ended early would end at the same epoch: it is trained for all epochs of its configuration.
 */
async function furtherTraining({ again, logDir, stopReason }: RunOutcome, epochs: number): Promise<string> {
  const fromCheckpoint = logDir === undefined ? undefined : await overridesToContinue(logDir);
  const longer =
    stopReason === 'early-stopped'
      ? 'exp_manager.create_early_stopping_callback=false'
      : `trainer.max_epochs=${2 * Math.max(1, epochs)}`;
  return nautilCommand(...again, longer, ...(fromCheckpoint ?? []));
}
