import { readdirSync } from 'node:fs';
import { join, parse } from 'node:path';
import { packageRoot } from '@nautil/store/folders';
import { configSchema } from './schema/config-schema.js';
import { leaves, type SchemaNode, shownWord } from './schema/lookup.js';

/** What can be typed at one place, with a description. */
interface Completion {
  name: string;
  description?: string;
}

/** The keys of the configuration and the groups of the shipped folder, each as the beginning of an override: `model.optim.lr=`. */
export function overrideCompletions(): Completion[] {
  const keys = [...leaves(configSchema)].map(({ path, node }) => ({
    name: `${path.join('.')}=`,
    ...(node.description === undefined ? {} : { description: node.description }),
  }));
  return [...groups().map((name) => ({ name: `${name}=`, description: 'a group of settings' })), ...keys];
}

/** The values that the schema lists for a key, or the names in a group; none where any number or text is accepted. */
export function valueCompletions(key: string): string[] {
  if (groups().includes(key)) return namesIn(join(shippedFolder(), key));
  const found = [...leaves(configSchema)].find(({ path }) => path.join('.') === key);
  return found ? valuesOf(found.node) : [];
}

/** The names of the shipped configurations. */
export const configCompletions = (): string[] => namesIn(shippedFolder());

const shippedFolder = (): string => join(packageRoot(), 'conf');

const groups = (): string[] =>
  readdirSync(shippedFolder(), { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));

const namesIn = (folder: string): string[] =>
  readdirSync(folder).flatMap((file) => (file.endsWith('.yaml') ? [parse(file).name] : []));

function valuesOf(node: SchemaNode): string[] {
  if (node.unsupported) return node.unsupported.accepted.map(shownWord);
  if (node.anyOf) return node.anyOf.flatMap(valuesOf);
  if (node.enum) return node.enum.map(shownWord);
  const types = Array.isArray(node.type) ? node.type : [node.type];
  return types.flatMap((type) => (type === 'boolean' ? ['true', 'false'] : type === 'null' ? ['null'] : []));
}
