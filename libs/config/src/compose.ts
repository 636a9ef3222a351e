import { basename } from 'node:path';
import { nautilCommand } from '@nautil/contracts';
import { ConfigError, type Problem } from './config-error.js';
import { emptyMap, type MapNode, mergeInto, type Origin, type OverrideOrigin, parsePath, put } from './config-node.js';
import type { ConfigSearchPath } from './config-search-path.js';
import { type DefaultEntry, type GroupEntry, parseDefaultsList } from './defaults-list.js';
import { nearest } from './nearest.js';
import { isSweep, type Override } from './parse-override.js';

/** The merged files, before any value is overridden. */
export interface Composition {
  root: MapNode;

  /** The files, in the order in which they were merged. */
  files: string[];

  /** The chosen option of each group. */
  choices: Record<string, string>;
}

interface Choice {
  options: string[] | null;
  origin: Origin;
  used: boolean;
}

/** The files of one configuration. A file that includes another twice doubles those that the other includes. */
const mostFiles = 1000;

const deepestPackage = 100;

interface Part {
  path: string;
  package: string;
}

/**
 * Merges the configuration `name` with the files in its defaults lists, by Hydra's rules of order and packages.
 *
 * @param groupOverrides - the overrides whose key is a group
 * @throws ConfigError when a configuration, a group or an option does not exist
 */
export async function compose(
  search: ConfigSearchPath,
  name: string,
  groupOverrides: readonly Override[],
): Promise<Composition> {
  return new Composer(search).compose(name, groupOverrides);
}

class Composer {
  private readonly search: ConfigSearchPath;
  private readonly choices = new Map<string, Choice>();
  private readonly deleted = new Map<string, { option: string | undefined; origin: Origin; used: boolean }>();
  private readonly chosenOptions: Record<string, string> = {};
  private readonly groupsSeen = new Set<string>();
  private expansions = 0;

  constructor(search: ConfigSearchPath) {
    this.search = search;
  }

  async compose(name: string, overrides: readonly Override[]): Promise<Composition> {
    const path = this.search.find(name);
    if (path === undefined) throw this.noSuchFile(name, '', undefined);
    const appended: GroupEntry[] = [];
    for (const override of overrides) this.addOverride(override, appended);
    const parts = await this.expand(path, '', '', appended, []);
    this.rejectUnusedOverrides();

    const origin: Origin = { kind: 'file', file: this.search.displayPath(path), line: 1, column: 1, shipped: false };
    const root = emptyMap(origin);
    for (const part of parts) {
      const file = await this.search.load(part.path);
      const content: MapNode = { ...file.root, entries: new Map(file.root.entries) };
      content.entries.delete('defaults');
      mergeInto(root, embed(content, part.package));
    }
    return { root, files: parts.map((part) => part.path), choices: this.chosenOptions };
  }

  /** The file at `path` and the files that it includes, in the order in which they are merged. */
  private async expand(
    path: string,
    group: string,
    target: string,
    appended: readonly GroupEntry[],
    above: readonly string[],
  ): Promise<Part[]> {
    const file = await this.search.load(path);
    if (++this.expansions > mostFiles) {
      throw new ConfigError([
        {
          message: `${this.search.displayPath(path)}: the defaults lists include more than ${mostFiles} files`,
          hint: ['include each file once'],
        },
      ]);
    }
    const self: Part = { path, package: target };
    const node = file.root.entries.get('defaults');
    const entries: DefaultEntry[] = node ? parseDefaultsList(node) : [];
    if (above.includes(path)) {
      throw new ConfigError([
        { origin: node?.origin, message: `${this.search.displayPath(path)} includes itself through its defaults list` },
      ]);
    }
    if (!entries.some((entry) => entry.kind === 'self')) entries.push({ kind: 'self' });
    for (const entry of appended) entries.push(entry);
    for (const entry of entries) {
      if (entry.kind === 'group' && entry.override)
        this.addFileOverride(groupKey(absolute(entry.group, group), entry.package), entry);
    }

    // Hydra expands from the last entry to the first: when two siblings override the same group, the later one wins.
    const parts: Part[][] = [];
    for (const entry of entries.reverse()) {
      if (entry.kind === 'self') parts.unshift([self]);
      else if (entry.kind === 'config') {
        parts.unshift(await this.expandConfig(entry, group, target, [...above, path]));
      } else if (!entry.override) parts.unshift(await this.expandGroup(entry, group, target, [...above, path]));
    }
    return parts.flat();
  }

  private async expandConfig(
    entry: Extract<DefaultEntry, { kind: 'config' }>,
    group: string,
    target: string,
    above: readonly string[],
  ): Promise<Part[]> {
    const name = absolute(entry.name, group);
    const path = this.search.find(name);
    if (path === undefined) {
      if (entry.optional) return [];
      throw this.noSuchFile(name, '', entry.origin);
    }
    const folder = name.split('/').slice(0, -1).join('/');
    return this.expand(
      path,
      folder,
      await this.packageOf(path, target, entry.package, relativeTo(folder, group)),
      [],
      above,
    );
  }

  private async expandGroup(
    entry: GroupEntry,
    group: string,
    target: string,
    above: readonly string[],
  ): Promise<Part[]> {
    const name = absolute(entry.group, group);
    const key = groupKey(name, entry.package);
    this.groupsSeen.add(key);
    const deletion = this.deleted.get(key);
    const chosen = this.choices.get(key);
    const options = chosen ? chosen.options : entry.options;
    if (chosen) chosen.used = true;
    if (deletion && (deletion.option === undefined || options?.includes(deletion.option))) {
      deletion.used = true;
      return [];
    }
    const parts: Part[] = [];
    for (const option of options ?? []) {
      if (option === '???') {
        throw new ConfigError([
          {
            origin: entry.origin,
            message: `${key} must be chosen`,
            hint: [`add ${key}=OPTION, one of ${this.search.options(name).join(', ')}`],
          },
        ]);
      }
      const path = this.search.find(`${name}/${option}`);
      if (path === undefined) {
        if (entry.optional) continue;
        throw this.noSuchFile(option, name, chosen?.origin ?? entry.origin);
      }
      this.chosenOptions[key] = option;
      const inside = await this.packageOf(path, target, entry.package, relativeTo(name, group));
      for (const part of await this.expand(path, name, inside, [], above)) parts.push(part);
    }
    return parts;
  }

  private async packageOf(path: string, parent: string, given: string | undefined, own: string): Promise<string> {
    const { packageHeader } = await this.search.load(path);
    const group = own.replaceAll('/', '.');
    const headed = packageHeader === undefined || packageHeader === '_group_' ? undefined : `_global_.${packageHeader}`;
    const relative = given?.replaceAll('_group_', `_global_.${group}`).replace(/^_here_\.?/, '') ?? headed ?? group;
    const whole = [parent, relative].filter((part) => part !== '').join('.');
    if (whole.split('.').length > deepestPackage) {
      throw new ConfigError([
        { message: `${this.search.displayPath(path)}: its package is more than ${deepestPackage} levels deep` },
      ]);
    }
    const global = whole.lastIndexOf('_global_');
    return global < 0 ? whole : whole.slice(global + '_global_.'.length);
  }

  private addOverride(override: Override, appended: GroupEntry[]): void {
    const key = groupKey(override.key, override.package);
    const origin: OverrideOrigin = { kind: 'override', number: override.number, text: override.text };
    const options = optionsOf(override, origin);
    if (override.type === 'delete') {
      this.deleted.set(key, { option: options?.[0], origin, used: false });
    } else if (override.type === 'change') {
      this.choices.set(key, { options, origin, used: false });
    } else {
      const base = { kind: 'group', group: override.key, package: override.package, options, origin } as const;
      appended.push({ ...base, optional: false, override: false });
    }
  }

  // The first choice wins: the command line precedes all files, and a file precedes the files that it includes.
  private addFileOverride(key: string, entry: GroupEntry): void {
    if (!this.choices.has(key)) this.choices.set(key, { options: entry.options, origin: entry.origin, used: false });
  }

  private rejectUnusedOverrides(): void {
    const problems: Problem[] = [];
    for (const [key, { used, origin, options }] of this.choices) {
      if (used) continue;
      const option = options?.[0] ?? 'OPTION';
      problems.push({
        origin,
        message: `no defaults list contains the group ${key}, so there is nothing to override`,
        hint: [`write +${key}=${option} to add it`],
      });
    }
    for (const [key, { used, origin }] of this.deleted) {
      if (!used) problems.push({ origin, message: `no defaults list contains the group ${key} with that option` });
    }
    if (problems.length > 0) throw new ConfigError(problems);
  }

  private noSuchFile(name: string, group: string, origin: Origin | undefined): ConfigError {
    const options = this.search.options(group);
    const folders = this.search.folders.map((folder) => this.search.displayPath(folder) || '.').join(' or ');
    // A name on the hub, such as microsoft/deberta-v3-base, ends in that of its preset.
    const last = basename(name);
    const near = options.includes(last) ? last : nearest(last, options);
    const message =
      group === ''
        ? `there is no configuration ${name}.yaml in ${folders}`
        : `the group ${group} has no option ${name}`;
    const hint = [
      ...(near === undefined ? [] : [`did you mean ${near}?`]),
      ...(group === 'model' ? [`any other model is model.language_model.pretrained_model_name=${name}`] : []),
      `available: ${options.join(', ') || 'none'}`,
    ];
    return new ConfigError([{ origin, message, hint }]);
  }
}

function optionsOf(override: Override, origin: OverrideOrigin): string[] | null {
  const { value } = override;
  if (value === undefined) return null;
  if (isSweep(value)) {
    throw new ConfigError([
      {
        origin,
        message: `${override.text} gives several options`,
        hint: [`\`${nautilCommand('sweep', override.text)}\` trains once for each of them`],
      },
    ]);
  }
  if (value.kind === 'list') {
    return value.items.map((item) => (item.kind === 'scalar' ? String(item.value) : ''));
  }
  if (value.kind === 'map') {
    throw new ConfigError([
      {
        origin,
        message: `${override.key} is a group; its value must be the name of an option`,
        hint: [`set its keys one by one: ${override.key}.KEY=VALUE`],
      },
    ]);
  }
  return value.value === null ? null : [String(value.value)];
}

function groupKey(group: string, target: string | undefined): string {
  return target === undefined ? group : `${group}@${target}`;
}

function absolute(name: string, group: string): string {
  return name.startsWith('/') ? name.slice(1) : [group, name].filter((part) => part !== '').join('/');
}

function relativeTo(name: string, group: string): string {
  return group !== '' && name.startsWith(`${group}/`) ? name.slice(group.length + 1) : name === group ? '' : name;
}

function embed(content: MapNode, target: string): MapNode {
  return parsePath(target).reduceRight((inner: MapNode, key) => {
    const outer = emptyMap(inner.origin);
    put(outer, key, inner);
    return outer;
  }, content);
}
