const deepest = 3;
const longest = 200;

/** A value of a config.json as JSON for a message. What is nested deeply or long is left out: JSON.stringify is recursive. */
export function shownValue(value: unknown): string {
  const text = JSON.stringify(pruned(value, deepest));
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

function pruned(value: unknown, levels: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (levels === 0) return '…';
  if (Array.isArray(value)) return value.slice(0, longest).map((item) => pruned(item, levels - 1));
  const entries = Object.entries(value).slice(0, longest);
  return Object.fromEntries(entries.map(([key, item]) => [key, pruned(item, levels - 1)]));
}
