import { tsImport } from 'tsx/esm/api';

await tsImport('./tokenize-worker.ts', import.meta.url);
