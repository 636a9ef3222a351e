import { parseArgs } from 'node:util';
import { formatFuzz, fuzz } from './fuzz.js';
import { type Format, readers } from './readers.js';

// `npx nx run tests:fuzz -- --inputs 50000 [--seed N] [--format F] [--from N]`
const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '2000' },
    seed: { type: 'string' },
    from: { type: 'string', default: '0' },
    format: { type: 'string' },
    findings: { type: 'string', default: 'tmp/fuzz' },
  },
});
const { format } = values;
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
