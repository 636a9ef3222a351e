import { Command } from 'commander';
import { printable } from '@nautil/contracts';
import { closeHome } from '@nautil/store/folders';
import { addCompletion } from './commands/completion.js';
import { addConfig } from './commands/config.js';
import { addCancel, addControls } from './commands/control.js';
import { addConvert } from './commands/convert.js';
import { addDoctor } from './commands/doctor.js';
import { addDown } from './commands/down.js';
import { addEncode } from './commands/encode.js';
import { addEvaluate } from './commands/evaluate.js';
import { addExport } from './commands/export.js';
import { addImport } from './commands/import.js';
import { addInfer } from './commands/infer.js';
import { addInspect } from './commands/inspect.js';
import { addLogs } from './commands/logs.js';
import { addNew } from './commands/new.js';
import { addPredict } from './commands/predict.js';
import { addProgress } from './commands/progress.js';
import { addResume } from './commands/resume.js';
import { addRun } from './commands/run.js';
import { addRuns } from './commands/runs.js';
import { addSetup } from './commands/setup.js';
import { addStatus } from './commands/status.js';
import { addStore } from './commands/store.js';
import { addSweep } from './commands/sweep.js';
import { addTemporal } from './commands/temporal.js';
import { addTrain } from './commands/train.js';
import { addUp } from './commands/up.js';
import { addVerify } from './commands/verify.js';
import { addWorker } from './commands/worker.js';
import { asTyped, printMessage } from './output.js';

/** Adds a command. Its file imports heavy libraries only inside the action, so that `--help` stays fast. */
type AddCommand = (program: Command) => void;

const commands: readonly (readonly [group: string, ...AddCommand[]])[] = [
  ['Servers:', addSetup, addDoctor, addUp, addStatus, addDown, addWorker, addTemporal],
  ['Training:', addNew, addRun, addSweep, addTrain, addEvaluate],
  ['Runs:', addRuns, addProgress, addLogs, addControls, addCancel, addResume],
  ['Models and data:', addPredict, addInfer, addEncode, addInspect, addVerify, addExport, addConvert, addImport],
  ['Configuration, disk space and shell:', addConfig, addStore, addCompletion],
];

/** The program `nautil` with all its commands. */
export function buildProgram(): Command {
  const program = new Command('nautil')
    .description('Fine-tunes BERT text classifiers durably, with Temporal, TensorFlow and MLflow.')
    .option('-V, --version', 'print the versions of Nautil, its commit, Node and TensorFlow') // see main.ts
    .helpCommand('help [command]', 'help for a command')
    .showHelpAfterError(asTyped('`npx nautil --help` lists the commands and options'))
    .configureOutput({
      writeOut: (text) => void process.stdout.write(asTyped(text)),
      writeErr: (text) => void process.stderr.write(asTyped(printable(text))),
    })
    .exitOverride()
    .enablePositionalOptions()
    .hook('preAction', async () => {
      const note = await closeHome();
      if (note !== undefined) printMessage(note);
    });
  for (const [group, ...additions] of commands) {
    program.commandsGroup(group);
    for (const add of additions) add(program);
  }
  nameOwnHelp(program, 'npx nautil');
  return program.addHelpText(
    'after',
    `
Examples:
  npx nautil up                       start Temporal, MLflow and a worker
  npx nautil status                   show what is running, and where
  npx nautil <command> --help         show the options and examples of a command

Exit codes: 0 success, 2 usage or configuration (a model that Nautil does not compute among them), 3 a file, a
model or a data set that is missing or unusable, 4 environment, 5 training failed, 130 interrupted.
DEBUG=1 shows the stack of an error.`,
  );
}

/** Makes the usage errors of each command below `parent`, at any depth, name the help of that command. */
function nameOwnHelp(parent: Command, path: string): void {
  for (const command of parent.commands) {
    const name = `${path} ${command.name()}`;
    command.showHelpAfterError(asTyped(`\`${name} --help\` lists its options`));
    nameOwnHelp(command, name);
  }
}
