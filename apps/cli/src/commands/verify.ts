import type { Command } from 'commander';
import { exitCodes } from '@nautil/contracts';
import { examples } from '../help.js';
import { printJson, printResult } from '../output.js';

export function addVerify(program: Command): void {
  program
    .command('verify')
    .summary('check a .nemo archive completely')
    .description(
      'Checks a .nemo archive: that it can be read, that its files, weights, labels and vocabulary fit its configuration, that every ' +
        'number is finite, and that everything matches the digests in its record. The exit code is 3 when a check fails. ' +
        'Without --tokenizer, nautil predict refuses exactly the archives that fail.',
    )
    .argument('<file>', 'a .nemo archive, of Nautil or of NeMo')
    .option('--json', 'print the checks as JSON')
    .addHelpText('after', examples('verify sst2.nemo', 'verify sst2.nemo --json | jq .sound'))
    .action(async (file: string, { json }: { json?: true }) => {
      const { verifyNemo } = await import('@nautil/formats/nemo');
      const { encoderLayout } = await import('@nautil/model');
      const { archiveTokenizer } = await import('@nautil/training');
      const verified = await verifyNemo(file, { layout: encoderLayout, tokenizer: archiveTokenizer });
      if (json) await printJson(verified);
      else {
        const { default: pc } = await import('picocolors');
        for (const { name, found, problems } of verified.checks) {
          const mark = problems.length === 0 ? pc.green('✓') : pc.red('✗');
          await printResult([` ${name}: ${found}`, ...problems.map((problem) => `    ${problem}`)].join('\n'), mark);
        }
        await printResult(`sha256 ${verified.sha256}\n${file} is ${verified.sound ? 'sound' : 'not sound'}`);
      }
      if (!verified.sound) process.exitCode = exitCodes.data;
    });
}
