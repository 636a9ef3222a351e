import type { Command } from 'commander';
import { exitCodes } from '@nautil/contracts';
import { examples } from '../program.js';
import { addStackOptions, type StackFlags } from '../stack-options.js';

export function register(program: Command): void {
  addStackOptions(program.command('doctor'))
    .summary('check everything that Nautil stands on')
    .description(
      'Checks Node.js, the platform, the Python environment, the TensorFlow library (by loading it), the default weights, free disk space, ' +
        'the ports and the worker, and says what to do about each problem. The exit code is 4 when there is one.',
    )
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', examples('doctor', 'doctor --json | jq \'.[] | select(.state == "problem")\''))
    .action(async (flags: StackFlags & { json?: boolean }) => {
      const { default: pc } = await import('picocolors');
      const { diagnose } = await import('../diagnose.js');
      const findings = await diagnose(flags);
      const marks = { ok: pc.green('✓'), warning: pc.yellow('!'), problem: pc.red('✗') };
      if (flags.json) console.log(JSON.stringify(findings, null, 2));
      else {
        for (const { state, name, detail, remedy } of findings) {
          console.log(`${marks[state]} ${name}: ${detail}${remedy ? `\n    ${remedy}` : ''}`);
        }
      }
      if (findings.some(({ state }) => state === 'problem')) process.exitCode = exitCodes.environment;
    });
}
