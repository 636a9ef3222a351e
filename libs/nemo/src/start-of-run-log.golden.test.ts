import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { pythonFloat, pythonString } from '@nautil/python-format';
import { goldenSetWith } from '@nautil/testing';
import { buildTokenCache, loadTokenizer, type TokenCacheSummary } from '@nautil/tokenization';
import { ExperimentLog } from './experiment-log.js';
import { logDevice, logSplit, logStartOfRun, type TokenizedSplit } from './start-of-run-log.js';

/** An entry of a log: what stands between its time and the next entry. */
interface Entry {
  level: string;
  module: string;
  message: string;
}

const entriesOf = (text: string): Entry[] =>
  [...text.matchAll(/^\[\w+ (\w) [\d-]+ [\d:]+ (\w+)(?::\d+)?\] ([^]*?)\n(?=\[\w+ \w [\d-]+ |$(?![^]))/gm)].map(
    ([, level, module, message]) => ({ level: level!, module: module!, message: message! }),
  );

const set = goldenSetWith('nemo/run_artifacts');
const recorded = entriesOf(readFileSync(set.path('nemo/run_artifacts/nemo_log_globalrank-0_localrank-0.txt'), 'utf8'));
const sentBy = (...modules: string[]): Entry[] => recorded.filter(({ module }) => modules.includes(module));

/** The recorded configuration as YAML. */
function recordedConfig(): string {
  const { message } = sentBy('text_classification_with_bert').find((entry) => entry.message.includes('Config Params'))!;
  return message.replaceAll('\n    ', '\n').replace('\nConfig Params:\n', '');
}

/** Words of a list that Python printed. */
const wordsOf = (list: string): string[] =>
  [...list.matchAll(/'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/g)].map(([, single, double]) => single ?? double!);

const folder = mkdtempSync(join(tmpdir(), 'nautil-start-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The recorded splits: the samples from their words by our tokenizer, the statistics as recorded. */
async function recordedSplits(model: string, maxLength: number): Promise<TokenizedSplit[]> {
  const tokenizer = await loadTokenizer({ folder: set.path(model), mode: 'nemo' });
  const splits: { file: string; messages: string[] }[] = [];
  for (const { message } of sentBy('text_classification_dataset', 'data_preprocessing')) {
    const file = /^Read \d+ examples from (.*)\.$/.exec(message)?.[1];
    if (file !== undefined) splits.push({ file, messages: [] });
    splits.at(-1)!.messages.push(message);
  }
  return Promise.all(
    splits.map(async ({ file, messages }, i) => {
      const all = messages.join('\n');
      const number = (pattern: RegExp): number => Number(pattern.exec(all)?.[1] ?? 0);
      const texts = [...all.matchAll(/^example \d+: (.*)$/gm)].map(([, list]) => wordsOf(list!).join(' '));
      const labels = [...all.matchAll(/^label: (\d+)$/gm)].map(([, label]) => Number(label));
      const { samples } = await buildTokenCache({
        examples: (async function* () {
          for (const [line, text] of texts.entries()) yield { text, label: labels[line]!, line: line + 1 };
        })(),
        out: join(folder, `${i}.tokens`),
        tokenizer,
        maxLength,
        key: 'samples',
      });
      const summary: TokenizedSplit['summary'] & Partial<TokenCacheSummary> = {
        samples,
        examples: number(/^Read (\d+)/m),
        truncated: number(/^Found (\d+)/m),
        lengths: {
          min: number(/Min: (\d+)/),
          max: number(/Max: (\d+)/),
          mean: number(/Mean: ([\d.]+)/),
          median: number(/Median: ([\d.]+)/),
          percentile75: number(/75 percentile: ([\d.]+)/),
          percentile99: number(/99 percentile: ([\d.]+)/),
        },
      };
      return { file, summary };
    }),
  );
}

test('the start of a run is logged in NeMo’s words', async () => {
  const config = recordedConfig();
  const { model } = parse(config) as {
    model: { dataset: { max_seq_length: number }; language_model: { pretrained_model_name: string } };
  };
  const maxLength = model.dataset.max_seq_length;
  const splits = await recordedSplits(model.language_model.pretrained_model_name, maxLength);
  expect(splits.map(({ summary }) => summary.samples.length)).toEqual([2, 2, 2]);

  let written = '';
  const log = new ExperimentLog(folder, (entry) => (written += `${entry}\n`));
  const where = sentBy('exp_manager').find(({ message }) => message.startsWith('Experiments will be logged at '))!;
  logStartOfRun(log, {
    config,
    folder: where.message.replace('Experiments will be logged at ', ''),
  });
  logDevice(log, { device: '/device:CPU:0', gpus: 0 });
  for (const split of splits) logSplit(log, split, maxLength);

  const lightning = readFileSync(set.path('nemo/run_artifacts/lightning_logs.txt'), 'utf8');
  expect(lightning).toContain(readFileSync(join(folder, 'lightning_logs.txt'), 'utf8'));
  const ours = entriesOf(written.replace(/^GPU available.*\n/m, ''));
  const [first] = sentBy('text_classification_with_bert');
  expect(ours.slice(0, 2)).toEqual([first, where]);
  // What weighting the classes says is not of the start of a run.
  const ofWeights = /^(Calculating stats|Total Sentence|Sentence class frequencies|Class Weights)/;
  const expected = sentBy('text_classification_dataset', 'data_preprocessing').filter(
    ({ message }) => !ofWeights.test(message),
  );
  expect(expected.length).toBeGreaterThan(30);
  expect(ours.slice(2)).toEqual(expected);
});

// As Python 3.11's repr printed them.
test.each([
  ['plain', "'plain'"],
  ["it's", `"it's"`],
  [`'"`, `'\\'"'`],
  ['a\\b\tc\n', "'a\\\\b\\tc\\n'"],
  ['体育 é 🎬', "'体育 é 🎬'"],
  ['\u0085\u200b\u2028\u{e0001}', "'\\x85\\u200b\\u2028\\U000e0001'"],
  ['', "''"],
])('%j is printed as %s', (text, printed) => expect(pythonString(text)).toBe(printed));

test('floats keep their dot', () => {
  expect([41, 35.5, 40.63333333333333].map(pythonFloat)).toEqual(['41.0', '35.5', '40.63333333333333']);
});
