import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { chosenGoldenSet, goldenSets } from './golden-sets.cjs';

/** What a set may lack, because it is hard to record; everything else must be in the chosen set. */
const optionalParts = [
  'nemo-files',
  'nemo/run_artifacts',
  'pairs.json',
  'raw-data',
  'tokenizer-folders.json',
  'tokenizers',
] as const;

type OptionalPart = (typeof optionalParts)[number];

/** A folder of reference data. */
export class GoldenSet {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  path(...segments: string[]): string {
    const path = join(this.folder, ...segments);
    const ownRawData = join(this.folder, 'raw-data');
    // The raw data of the larger set is beside it.
    if (existsSync(ownRawData) || !isWithin(ownRawData, path)) return path;
    return join(this.folder, '../data', relative(ownRawData, path));
  }

  has(part: OptionalPart): boolean {
    return existsSync(this.path(part));
  }

  readJson(...segments: string[]): unknown {
    return JSON.parse(readFileSync(this.path(...segments), 'utf8'));
  }
}

/** The first set that has all of the parts, for data that must come from the same recording. */
export function goldenSetWith(...parts: OptionalPart[]): GoldenSet {
  const sets = goldenSets().map((folder) => new GoldenSet(folder));
  const found = sets.find((set) => parts.every((part) => set.has(part)));
  if (found) return found;
  throw new Error(`no golden set has ${parts.join(' and ')}: ${sets.map(({ folder }) => folder).join(', ')}`);
}

/** A path in the chosen set, or, for what the chosen set may lack, in the first set that has it. */
export function goldenPath(...segments: string[]): string {
  return setFor(segments).path(...segments);
}

export function readGoldenJson(...segments: string[]): unknown {
  return setFor(segments).readJson(...segments);
}

/** The files below a golden folder with one of the endings, as full paths, sorted. Throws when there is none. */
export function goldenFiles(folder: string, ...endings: string[]): string[] {
  const root = goldenPath(folder);
  const found = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .map((name) => join(root, name))
    .sort();
  if (found.length === 0) throw new Error(`${root} has no file that ends in ${endings.join(' or ')}`);
  return found;
}

function setFor(segments: string[]): GoldenSet {
  const path = join(...segments);
  const part = optionalParts.find((optional) => isWithin(optional, path));
  return part === undefined ? new GoldenSet(chosenGoldenSet()) : goldenSetWith(part);
}

function isWithin(folder: string, path: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
