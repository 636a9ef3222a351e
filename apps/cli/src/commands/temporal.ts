import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import type { Command } from 'commander';
import { examples } from '../help.js';
import { workingFolder } from '../working-folder.js';

export function addTemporal(program: Command): void {
  program
    .command('temporal')
    .summary('run the Temporal CLI against the server of `nautil up`')
    .description(
      'Runs the Temporal CLI that the set-up installed, or else the one on PATH. TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and TEMPORAL_TLS name ' +
        'the server that Nautil uses; options of the CLI take precedence.',
    )
    .usage('[arguments of the Temporal CLI …]')
    .argument('[arguments...]', 'what follows `temporal`')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .addHelpText(
      'after',
      examples('temporal workflow list', 'temporal workflow show --workflow-id reviews', 'temporal --help'),
    )
    .action(runTemporal);
}

async function runTemporal(args: string[]): Promise<void> {
  const { stackAddresses, temporalEnvironment, temporalProgramPath } = await import('@nautil/stack');
  const { stopListeningForInterruption } = await import('../interruption.js');
  const env = { ...process.env, ...temporalEnvironment(stackAddresses().temporal) };
  const child = spawn(temporalProgramPath(), args, { stdio: 'inherit', env, cwd: workingFolder() });
  stopListeningForInterruption();
  process.on('SIGINT', () => undefined); // a terminal sends it to the CLI, too, whose exit code is returned
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  process.exitCode = code ?? 128 + constants.signals[signal ?? 'SIGTERM'];
}
