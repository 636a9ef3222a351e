import type { JsonValue } from '@nautil/contracts';
import { explainSections, type KeyExplanation } from './explain.js';

/** The whole schema as a page of Markdown: a table for each section. What is written is what `explainKey` says. */
export function configReference(): string {
  const parts = explainSections().map(({ key, description, keys }) => {
    const heading = `## \`${key === '' ? 'at the top' : key}\``;
    const rows = keys.map((one) => {
      const name = one.key.slice(key === '' ? 0 : key.length + 1);
      return `| ${[`\`${name}\``, `\`${one.defaultText}\``, one.accepts, one.affects, remarksOn(one)].map(cell).join(' | ')} |`;
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

function remarksOn({ description, whenAbsent, versions, noEffect, instead }: KeyExplanation): string {
  return [
    description,
    ...(whenAbsent === undefined ? [] : [`Left out of a file: ${code(whenAbsent)}.`]),
    ...(noEffect === undefined ? [] : [`**No effect**: ${noEffect}.`]),
    ...(instead === undefined ? [] : [`Other values are refused: ${instead}.`]),
    ...(versions === undefined ? [] : [`_${versions}_`]),
  ].join(' ');
}

// A pipe would end the cell, an asterisk or a dollar sign in front of a brace mean nothing in Markdown.
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

const code = (value: JsonValue): string => {
  const text = typeof value === 'string' && value !== '' ? value : JSON.stringify(value);
  return `\`${text}\``;
};
