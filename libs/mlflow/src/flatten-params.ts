import { mlflowKey, paramValue } from './names.js';

/**
 * Converts a configuration to MLflow's params, one for each leaf under its dotted path: `{ model: { optim: { lr: 1e-4 } } }`
 * becomes `{ 'model.optim.lr': '0.0001' }`. Lists and empty sections count as leaves and are written as JSON.
 */
export function flattenParams(tree: object): Record<string, string> {
  const params: Record<string, string> = {};
  const visit = (node: unknown, path: string): void => {
    const children = isSection(node) ? Object.entries(node) : [];
    for (const [key, child] of children) visit(child, path === '' ? key : `${path}.${key}`);
    if (children.length === 0 && path !== '') params[mlflowKey(path)] = paramValue(node);
  };
  visit(tree, '');
  return params;
}

const isSection = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
