import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { writeFileAtomic } from '@nautil/store';
import { QuantizationFailed } from '../errors.js';

const script = `
import sys
from onnxruntime.quantization import QuantType, quantize_dynamic
quantize_dynamic(sys.argv[1], sys.argv[2], weight_type=QuantType.QInt8, per_channel=True)
`;

/**
 * Writes an ONNX model with weights in int8, which onnxruntime's own tools compute in Python.
 *
 * @param python - the program, in whose environment onnxruntime and onnx are installed
 * @throws QuantizationFailed when it lacks them, or does not end with success
 */
export async function quantizeOnnx(path: string, model: Iterable<Uint8Array>, python: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'nautil-int8-'));
  try {
    const [float32, int8] = [join(folder, 'float32.onnx'), join(folder, 'int8.onnx')];
    await writeFileAtomic(float32, model);
    await promisify(execFile)(python, ['-c', script, float32, int8]).catch((error: unknown) => {
      const { stderr = '', message } = error as Error & { stderr?: string };
      const [reason = ''] = (stderr.trim() === '' ? message : stderr.trim()).split('\n').slice(-1);
      throw new QuantizationFailed(`${python} cannot write int8: ${reason}`, {
        hint: 'int8 needs Python with onnxruntime and onnx: `pip install onnxruntime onnx`; --python names another Python',
        cause: error,
      });
    });
    if (!existsSync(int8))
      throw new QuantizationFailed(`${python} wrote no model`, {
        hint: '--python names a Python with onnxruntime and onnx',
      });
    await writeFileAtomic(path, await readFile(int8));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
