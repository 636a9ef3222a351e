import { mlflowKey, paramValue } from './names.js';

/**
 * Every leaf of a configuration under its dotted path, as MLflow's params: `{ model: { optim: { lr: 1e-4 } } }` gives
 * `{ 'model.optim.lr': '0.0001' }`. Lists and empty sections are leaves, as JSON.
 */
export function flattenParams(tree: object): Record<string, string> {
  const params: Record<string, string> = {};
  const visit = (at: unknown, path: string): void => {
    const inside = isSection(at) ? Object.entries(at) : [];
    for (const [key, value] of inside) visit(value, path === '' ? key : `${path}.${key}`);
    if (inside.length === 0 && path !== '') params[mlflowKey(path)] = paramValue(at);
  };
  visit(tree, '');
  return params;
}

const isSection = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
