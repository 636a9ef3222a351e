import { stringify } from 'yaml';
import { counted, formatFigure, type JsonObject, type JsonValue } from '@nautil/contracts';
import type { NemoDescription } from '@nautil/formats/nemo';

/** The description of a `.nemo` as text: model, labels, scores, lineage, configuration, files and tensors. */
export function formatArchive(archive: NemoDescription): string {
  return [
    `${archive.path}: ${megabytes(archive.sizeBytes)}, ${writerOf(archive)}${archive.compressed ? ', gzip' : ''}`,
    ...section('Model', [
      row('encoder', encoderLine(archive)),
      ...archive.encoder.notes.map((note) => row('', note)),
      row(
        'parameters',
        `${archive.parameters.toLocaleString('en-US')} in ${counted(archive.tensors.length, 'tensor')}`,
      ),
      row('tokenizer', archive.tokenizer ?? 'not named'),
      row('sha256', archive.sha256),
    ]),
    ...section(
      'Labels',
      (archive.labels ?? []).map((name, id) => `  ${String(id).padStart(5)}  ${name}`),
    ),
    ...section('Metrics', rows(archive.metrics)),
    ...section('Lineage', rows(archive.lineage)),
    ...section('Configuration', indented(stringify(archive.config, { lineWidth: 0 }))),
    ...section(
      'Files',
      archive.members.map(({ name, sizeBytes }) => `  ${String(sizeBytes).padStart(12)}  ${name}`),
    ),
    ...section('Tensors', tensorLines(archive)),
  ].join('\n');
}

type ShownTensor = Pick<NemoDescription['tensors'][number], 'name' | 'dtype' | 'shape'>;

/** The content of a file of tensors, such as a checkpoint. */
interface TensorsDescription {
  path: string;
  format: string;
  metadata: Readonly<Record<string, string>>;
  tensors: readonly ShownTensor[];
}

/** A checkpoint has whole configurations in its metadata. */
const shownValue = 100;

export function formatTensors({ path, format, metadata, tensors }: TensorsDescription): string {
  const parameters = tensors.reduce((sum, { shape }) => sum + shape.reduce((size, length) => size * length, 1), 0);
  return [
    `${path}: ${parameters.toLocaleString('en-US')} values in ${counted(tensors.length, 'tensor')} (${format}), no texts`,
    ...section(
      'Metadata',
      Object.entries(metadata).map(
        ([key, value]) => `  ${key}: ${value.length <= shownValue ? value : `${value.slice(0, shownValue - 1)}…`}`,
      ),
    ),
    ...section('Tensors', tensorLines({ tensors })),
  ].join('\n');
}

/** NeMo's version is in every archive; that of Nautil is in its lineage since 0.2.0. */
function writerOf({ writtenBy, nemoVersion = 'of an unknown version', lineage }: NemoDescription): string {
  if (writtenBy === 'NeMo') return `written by NeMo ${nemoVersion}`;
  const version = lineage?.['version'];
  return `written by Nautil${typeof version === 'string' ? ` ${version}` : ''} in the format of NeMo ${nemoVersion}`;
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines];
}

const row = (name: string, value: string) => `  ${name.padEnd(12)} ${value}`;

/** Labels of the scores and the lineage in Nautil's record; other keys become words: `numClasses` is `num classes`. */
const labels: Readonly<Record<string, string>> = {
  split: 'measured on',
  f1Macro: 'macro F1',
  f1Micro: 'micro F1',
  f1Weighted: 'weighted F1',
  numClasses: 'classes',
};

const valueLabels: Readonly<Record<string, string>> = { val: 'validation' };

const labelOf = (name: string): string =>
  Object.hasOwn(labels, name)
    ? (labels[name] ?? name)
    : name
        .replaceAll('_', ' ')
        .replace(/[a-z](?=[A-Z])/g, '$& ')
        .toLowerCase();

const scoreNames = new Set(['loss', 'accuracy', 'f1Macro', 'f1Micro', 'f1Weighted']);

function valueText(name: string, value: JsonValue): string {
  if (typeof value === 'string') return valueLabels[value] ?? value;
  return typeof value === 'number' && scoreNames.has(name) ? formatFigure(value) : JSON.stringify(value);
}

function rows(values: JsonObject | undefined): string[] {
  return Object.entries(values ?? {}).map(([name, value]) => row(labelOf(name), valueText(name, value)));
}

const indented = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => `  ${line}`);

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/** The sizes of the encoder. Different architectures use different keys for the same size. */
function encoderLine({ encoder: { config } }: NemoDescription): string {
  if (!config) return 'unknown';
  const sizeOf = (...keys: string[]) => keys.map((key) => config[key]).find((value) => value !== undefined) ?? '?';
  const size = (...keys: string[]) => JSON.stringify(sizeOf(...keys));
  const sizeIn = (noun: string, ...keys: string[]) =>
    sizeOf(...keys) === 1 ? `1 ${noun}` : `${size(...keys)} ${noun}s`;
  return [
    typeof config['model_type'] === 'string' ? config['model_type'] : 'bert',
    sizeIn('layer', 'num_hidden_layers', 'n_layers'),
    `${size('hidden_size', 'dim')} wide`,
    sizeIn('head', 'num_attention_heads', 'n_heads'),
    sizeIn('token', 'vocab_size'),
    sizeIn('position', 'max_position_embeddings'),
  ].join(', ');
}

/** Tensors in the file's order; those of all layers share a line: `encoder.layer.{0…5}.output.dense.bias`. */
function tensorLines({ tensors }: { tensors: readonly ShownTensor[] }): string[] {
  const groups = new Map<
    string,
    { pattern: [string, string] | undefined; name: string; layers: number[]; what: string }
  >();
  for (const { name, dtype, shape } of tensors) {
    const what = `${dtype.padEnd(5)}[${shape.join(', ')}]`;
    const [, before, layer, after] = /^(.*\blayer\.)(\d+)(\..*)$/.exec(name) ?? [];
    const pattern: [string, string] | undefined =
      before === undefined || after === undefined ? undefined : [before, after];
    const key = pattern ? `${pattern.join('{}')} ${what}` : name;
    const group = groups.get(key) ?? { pattern, name, layers: [], what };
    group.layers.push(Number(layer));
    groups.set(key, group);
  }
  return [...groups.values()].map(({ pattern, name, layers, what }) => {
    const shown = pattern && layers.length > 1 ? `${pattern[0]}{${layers[0]}…${layers.at(-1)}}${pattern[1]}` : name;
    return `  ${what.padEnd(22)}${shown}`;
  });
}
