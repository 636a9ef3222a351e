import type { JsonValue } from '@nautil/contracts';
import { explainSections, type KeyExplanation } from './explain.js';

/** Prints the whole schema as Markdown, with a table for each section, from the explanations of `explainSections`. */
export function configReference(): string {
  const parts = explainSections().map(({ key, description, keys }) => {
    const heading = `## \`${key === '' ? 'at the top' : key}\``;
    const rows = keys.map((row) => {
      const name = row.key.slice(key === '' ? 0 : key.length + 1);
      return `| ${[`\`${name}\``, `\`${row.defaultText}\``, row.accepts, row.affects, remarksOn(row)].map(cell).join(' | ')} |`;
    });
    return [
      heading,
      '',
      description,
      '',
      '| key | default | values | affects | what it does |',
      '| - | - | - | - | - |',
      ...rows,
      '',
    ].join('\n');
  });
  return parts.join('\n');
}

function remarksOn({
  description,
  whenAbsent,
  versions,
  noEffect,
  needs,
  needsFound,
  instead,
}: KeyExplanation): string {
  return [
    description,
    ...(whenAbsent === undefined ? [] : [`Left out of a file: ${code(whenAbsent)}.`]),
    ...(noEffect === undefined ? [] : [`**No effect**: ${noEffect}.`]),
    ...(needs === undefined ? [] : [`**Needs** ${needs}.`]),
    ...(needsFound === undefined ? [] : [`**Needs** ${needsFound}.`]),
    ...(instead === undefined ? [] : [`Other values are rejected: ${instead}.`]),
    ...(versions === undefined ? [] : [`_${versions}_`]),
  ].join(' ');
}

// A pipe or a line break would end the cell.
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

const code = (value: JsonValue): string => {
  const text = typeof value === 'string' && value !== '' ? value : JSON.stringify(value);
  return `\`${text}\``;
};
