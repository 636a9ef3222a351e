import { parseArgs } from 'node:util';
import { formatFuzz, fuzz } from './fuzz.js';
import { type Format, readers } from './readers.js';

const help = `Usage: npx nx run tests:fuzz [-- options]

Reads mutated files of every format; each must be accepted or rejected with a typed error. Findings end it with exit code 1.

Options:
  --inputs N         number of files (default: 2000)
  --seed N           determines all files (default: another one each time)
  --from N           number of the first file; with --inputs 1, one file is repeated (default: 0)
  --format NAME      only this format: ${Object.keys(readers).join(', ')}
  --findings FOLDER  where files that caused a finding are kept (default: tmp/fuzz)
  --help             show this help
`;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h', default: false },
    inputs: { type: 'string', default: '2000' },
    seed: { type: 'string' },
    from: { type: 'string', default: '0' },
    format: { type: 'string' },
    findings: { type: 'string', default: 'tmp/fuzz' },
  },
});
const { format } = values;
if (values.help) {
  process.stdout.write(help);
  process.exit();
}
if (format !== undefined && !Object.hasOwn(readers, format)) {
  throw new Error(`--format ${format} is not one of ${Object.keys(readers).join(', ')}`);
}
const seed = Number(values.seed ?? Date.now() % 1_000_000);
console.log(`seed ${seed}`);
const report = await fuzz({
  inputs: Number(values.inputs),
  from: Number(values.from),
  seed,
  findings: values.findings,
  format: format as Format | undefined,
  onProgress: (inputs) => {
    if (inputs % 1000 === 0) console.log(`${inputs} inputs`);
  },
});
console.log(formatFuzz(report));
process.exitCode = report.findings.length > 0 ? 1 : 0;
