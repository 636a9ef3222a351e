import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, runProgram } from './run-program.js';

/** An object of Kubernetes. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
}

/**
 * What does not fit the schemas of Kubernetes and KEDA: wrong types, missing fields, and fields that do not exist. The compiler checks the
 * manifests as object literals of the types that kubernetes-models generates from the schemas.
 */
export async function manifestProblems(manifests: readonly Manifest[]): Promise<string[]> {
  // Below the checkout, so that the imports are found.
  mkdirSync(join(root, 'tmp'), { recursive: true });
  const folder = mkdtempSync(join(root, 'tmp', 'manifests-'));
  try {
    for (const [index, manifest] of manifests.entries()) {
      const { apiVersion, kind, metadata } = manifest;
      const library = apiVersion.startsWith('keda.sh/') ? '@kubernetes-models/keda' : 'kubernetes-models';
      const code = `import type { I${kind} } from '${library}/${apiVersion}/${kind}';\nexport const manifest: I${kind} = ${JSON.stringify(manifest, null, 2)};\n`;
      writeFileSync(join(folder, `${kind}-${metadata.name}-${index}.ts`), code);
    }
    const compilerOptions = {
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      target: 'es2022',
      module: 'esnext',
      moduleResolution: 'bundler',
      types: [],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    const { stdout } = await runProgram(process.execPath, [compiler, '--project', folder, '--pretty', 'false'], {
      cwd: folder,
    });
    return stdout.split('\n').filter((line) => line.includes('error TS'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
