import type { Command } from 'commander';
import { exitCodes } from '@nautil/contracts';
import { examples } from '../help.js';
import { printJson, printResult } from '../output.js';
import { addStackOptions, type StackFlags } from '../stack-options.js';

export function addDoctor(program: Command): void {
  addStackOptions(program.command('doctor'))
    .summary('check everything that Nautil needs')
    .description(
      'Checks Node.js, the platform, the Python environment, the TensorFlow library (by loading it), the GPUs with their driver and ' +
        'libraries, the default weights, free disk space, the ports and the worker, and explains how to fix each problem. The exit code is 4 when there is a problem.',
    )
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', examples('doctor', 'doctor --json | jq \'.[] | select(.state == "problem")\''))
    .action(async (flags: StackFlags & { json?: true }) => {
      const { default: pc } = await import('picocolors');
      const { diagnose } = await import('../diagnose.js');
      const findings = await diagnose(flags);
      const marks = { ok: pc.green('✓'), warning: pc.yellow('!'), problem: pc.red('✗') };
      if (flags.json) await printJson(findings);
      else {
        for (const { state, name, detail, remedy } of findings)
          await printResult(` ${name}: ${detail}${remedy === undefined ? '' : `\n    ${remedy}`}`, marks[state]);
      }
      if (findings.some(({ state }) => state === 'problem')) process.exitCode = exitCodes.environment;
    });
}
