import { tsImport } from 'tsx/esm/api';

await tsImport('./parquet-worker.ts', import.meta.url);
