import type { Command } from 'commander';
import { exitCodes } from '@nautil/contracts';
import { examples } from '../program.js';

export function register(program: Command): void {
  program
    .command('verify')
    .summary('check a .nemo archive whole')
    .description(
      'Checks a .nemo archive: that it opens, that its files, weights, labels and vocabulary fit its configuration, that every ' +
        'number is finite, and that nothing differs from the digests in its record. The exit code is 3 when something is wrong.',
    )
    .argument('<file>', 'a .nemo archive, of Nautil or of NeMo')
    .option('--json', 'print the checks as JSON')
    .addHelpText('after', examples('verify sst2.nemo', 'verify sst2.nemo --json | jq .sound'))
    .action(async (file: string, { json }: { json?: boolean }) => {
      const { verifyNemo } = await import('@nautil/formats');
      const { encoderLayout } = await import('@nautil/model');
      const verified = await verifyNemo(file, { layout: encoderLayout });
      if (json) console.log(JSON.stringify(verified, null, 2));
      else {
        const { default: pc } = await import('picocolors');
        for (const { name, found, problems } of verified.checks) {
          const mark = problems.length === 0 ? pc.green('✓') : pc.red('✗');
          console.log([`${mark} ${name}: ${found}`, ...problems.map((problem) => `    ${problem}`)].join('\n'));
        }
        console.log(`sha256 ${verified.sha256}\n${file} is ${verified.sound ? 'sound' : 'not sound'}`);
      }
      if (!verified.sound) process.exitCode = exitCodes.data;
    });
}
