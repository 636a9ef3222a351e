import { exitCodeOf, formatError, Interrupted, UsageError } from '@nautil/contracts';
import { parseHydraArguments } from './hydra-arguments.js';

const help = `Usage: npx nx run trainer:train    -- [--config-path DIR] [--config-name NAME] [key=value …]
       npx nx run trainer:evaluate -- model.nemo_path=FILE.nemo model.test_ds.file_path=FILE.tsv
       npx nx run trainer:predict  -- model.nemo_path=FILE.nemo 'model.infer_samples=["a text","another"]'

Trains, evaluates and asks without Temporal. MLflow hears of a training when its server answers (MLFLOW_TRACKING_URI, or
the stack of \`npx nautil up\`); else its journal keeps the run for \`npx nautil runs sync\`.

A checkpoint of a run does in place of a .nemo; Hydra wants its name in quotes: 'model.nemo_path="…-last.ckpt"'.

Ctrl-C ends a training with a checkpoint. With exp_manager.resume_if_exists=true the same command goes on from it.

Examples:
  npx nx run trainer:train -- model.train_ds.file_path=train.tsv model.validation_ds.file_path=dev.tsv trainer.max_epochs=2
  npx nx run trainer:train -- --config-name sst2 exp_manager.resume_if_exists=true exp_manager.resume_ignore_no_checkpoint=true
`;

const interruption = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    if (interruption.signal.aborted) process.exit(130);
    interruption.abort(
      new Interrupted('interrupted', { hint: 'the same command with exp_manager.resume_if_exists=true goes on' }),
    );
  });
}

try {
  const [command, ...typed] = process.argv.slice(2);
  const args = parseHydraArguments(typed);
  // Nx and npm change the folder; relative paths are meant from where the command was typed.
  const cwd = process.env['INIT_CWD'] ?? process.cwd();
  if (args.help) process.stdout.write(help);
  else if (command === 'train') {
    const { trainDirectly } = await import('./train-directly.js');
    await trainDirectly(args, { cwd, signal: interruption.signal });
  } else if (command === 'evaluate') {
    const { evaluateArchive } = await import('./evaluate-archive.js');
    await evaluateArchive(args, { cwd });
  } else if (command === 'predict') {
    const { openModel } = await import('./open-model.js');
    const { answerQueries } = await import('./answer-queries.js');
    const { classifier, config } = await openModel(args, { cwd, batchSize: () => 16 });
    try {
      await answerQueries(classifier, config.model.infer_samples ?? []);
    } finally {
      classifier.close();
    }
  } else throw new UsageError(`${command ?? 'nothing'} is not train, evaluate or predict`);
} catch (error) {
  console.error(formatError(error, Boolean(process.env['DEBUG'])));
  process.exitCode = exitCodeOf(error);
}
