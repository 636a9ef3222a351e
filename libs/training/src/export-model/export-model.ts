import { statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '@nautil/contracts';
import { writeSafetensors } from '@nautil/formats';
import { rewriteNemo } from '@nautil/formats/nemo';
import { onnxFile, readWeights } from '@nautil/model';
import { requireOutput, writeFileAtomic } from '@nautil/store';
import { type ClassifierModel, modelOf } from '../classifier-model.js';
import {
  type ClassifierSource,
  type ClassifierSourceOptions,
  isCheckpoint,
  openClassifierSource,
} from '../classifier-source.js';
import { huggingFaceFolder } from './hugging-face-folder.js';
import { quantizeOnnx } from './quantize-onnx.js';

export type ExportFormat = 'hf' | 'onnx' | 'safetensors' | 'nemo';

export interface ExportOptions extends ClassifierSourceOptions {
  /** A `.nemo` archive, or a checkpoint in the folder of its run. */
  model: string;
  format: ExportFormat;

  /** The file to write; the folder for `hf`. */
  output: string;

  /** Whether existing files may be replaced. */
  force: boolean;

  /** Of `onnx`: the Python whose onnxruntime rounds the weights to int8. Default: they stay in float32. */
  int8?: { python: string } | undefined;
}

export interface Exported {
  files: string[];

  /** Sentences for the user: what was assumed about the model, and where the exported one differs. */
  notes: string[];
}

/** Writes one file. Each is complete or absent. */
interface ExportedFile {
  path: string;
  write: () => Promise<unknown>;
}

/**
 * Writes a trained classifier in a format that other programs load, after the checks of `nautil verify`.
 *
 * @throws UsageError for outputs that must not be replaced; NoTransformersClass, TokenizerError, CorruptFile and related errors
 */
export async function exportModel(o: ExportOptions): Promise<Exported> {
  if (o.format === 'hf') requireFolder(o.output);
  if (o.format === 'nemo' && isCheckpoint(o.model))
    throw new UsageError(`${o.model} is a checkpoint, which lacks parts of an archive`, {
      hint: 'the end of its run packages it; --format safetensors and hf export a checkpoint, too',
    });
  const source = await openClassifierSource(o.model, o);
  try {
    const model = modelOf(o.model, source);
    const { files, notes } = filesOf(o, model, source);
    for (const { path } of files) requireOutput(path, { inputs: [o.model, o.tokenizerFolder], force: o.force });
    await model.requireSound();
    // Programs find a model by its config.json, which is written last: what a kill leaves half replaced is no model.
    if (o.format === 'hf') await rm(join(o.output, 'config.json'), { force: true });
    for (const { write } of files) await write();
    return { files: files.map(({ path }) => path), notes: [...source.notes, ...notes] };
  } finally {
    await source.close();
  }
}

function filesOf(
  { format, output, int8 }: ExportOptions,
  model: ClassifierModel,
  source: ClassifierSource,
): { files: ExportedFile[]; notes: string[] } {
  const only = (write: () => Promise<unknown>) => ({ files: [{ path: output, write }], notes: [] });
  switch (format) {
    case 'onnx':
      return only(async () => {
        const chunks = await onnxOf(model);
        await (int8 ? quantizeOnnx(output, chunks, int8.python) : writeFileAtomic(output, chunks));
      });
    case 'safetensors':
      return only(() => writeSafetensors(output, weightsOf(model, source), { format: 'pt' }));
    case 'nemo':
      return only(() => rewriteNemo(model.path, output));
    case 'hf': {
      const { files, weights, notes } = huggingFaceFolder(model, source);
      const safetensors = join(output, 'model.safetensors');
      const onnx = join(output, 'onnx/model.onnx');
      return {
        files: [
          ...(fitsInOnnx(model) ? [{ path: onnx, write: async () => writeFileAtomic(onnx, await onnxOf(model)) }] : []),
          { path: safetensors, write: () => writeSafetensors(safetensors, weights, { format: 'pt' }) },
          ...Object.entries(files).map(([name, content]) => ({
            path: join(output, name),
            write: () => writeFileAtomic(join(output, name), content),
          })),
        ],
        notes: fitsInOnnx(model) ? notes : [...notes, 'there is no onnx/model.onnx, which would have more than 2 GB'],
      };
    }
  }
}

/** The chunks of an ONNX file, with all weights in memory. */
async function onnxOf({ specs, read, encoder, head, path }: ClassifierModel): Promise<Uint8Array[]> {
  const weights = await readWeights(specs, read, path);
  return onnxFile({ encoder, head, weightOf: (name) => weights.get(name)! });
}

/** Whether the weights leave room for the graph in an ONNX file. */
const fitsInOnnx = ({ specs }: ClassifierModel): boolean =>
  specs.reduce((sum, { shape }) => sum + 4 * shape.reduce((size, dim) => size * dim, 1), 0) < 2 ** 31 - 2 ** 22;

/** The weights that the model has, as the file states them: without those of its loss and its metrics. */
function weightsOf({ specs }: ClassifierModel, { tensors }: ClassifierSource) {
  const inFile = new Set(tensors.names());
  return specs
    .filter(({ name }) => inFile.has(name))
    .map(({ name }) => ({ name, ...tensors.info(name), data: () => tensors.read(name) }));
}

/** @throws UsageError for a file */
function requireFolder(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found && !found.isDirectory())
    throw new UsageError(`${path} is not a folder`, { hint: '--format hf writes a folder of files: name another one' });
}
