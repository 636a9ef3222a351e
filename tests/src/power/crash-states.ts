import { createHash } from 'node:crypto';
import { linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Random } from '@nautil/formats/testing/mutate';
import type { FileOperation } from './file-operations.js';

/** What a power cut may leave of a file's unsynced writes: nothing, all, zeros, the first half, or some blocks. */
const fates = ['lost', 'kept', 'zeros', 'half', 'blocks'] as const;
type Fate = (typeof fates)[number];

const blockBytes = 512;

type Change = { at: number; data: Buffer } | { size: number };

class FileNode {
  durable: Buffer = Buffer.alloc(0);
  unsynced: Change[] = [];

  /** As programs see it. */
  get content(): Buffer {
    return this.unsynced.reduce<Buffer>(changed, this.durable);
  }

  sync(): void {
    this.durable = this.content;
    this.unsynced = [];
  }

  after(fate: Fate, random: Random): Buffer {
    if (this.unsynced.length === 0 || fate === 'lost') return this.durable;
    const kept = this.content;
    if (fate === 'kept') return kept;
    const same = kept.findIndex((byte, i) => byte !== this.durable[i]);
    const first = same < 0 ? kept.length : same;
    if (fate === 'half') return kept.subarray(0, first + Math.floor((kept.length - first) / 2));
    const result = Buffer.from(kept);
    for (let at = first; at < result.length; at = (Math.floor(at / blockBytes) + 1) * blockBytes)
      if (fate === 'zeros' || random(2) === 0)
        result.fill(0, at, Math.min(result.length, (Math.floor(at / blockBytes) + 1) * blockBytes));
    return result;
  }
}

function changed(before: Buffer, change: Change): Buffer {
  if ('size' in change) {
    const after = Buffer.alloc(change.size);
    before.copy(after);
    return after;
  }
  const after = Buffer.alloc(Math.max(before.length, change.at + change.data.length));
  before.copy(after);
  change.data.copy(after, change.at);
  return after;
}

/** Changes of names that happen together. */
interface NameChange {
  names: [string, Node | undefined][];

  /** A file that moves to another folder is not lost: its old name goes only if its new one is there. */
  onlyWith?: NameChange;
}

class FolderNode {
  durable = new Map<string, Node>();
  unsynced: NameChange[] = [];

  get names(): Map<string, Node> {
    return this.after(() => true);
  }

  after(isKept: (change: NameChange) => boolean): Map<string, Node> {
    const names = new Map(this.durable);
    for (const change of this.unsynced) {
      if (!isKept(change)) continue;
      for (const [name, node] of change.names) {
        if (node) names.set(name, node);
        else names.delete(name);
      }
    }
    return names;
  }

  sync(): void {
    this.durable = this.names;
    this.unsynced = [];
  }
}

type Node = FileNode | FolderNode;

/** Paths in a folder: undefined for a folder, the name of a file with its content otherwise. Hard links share the object. */
type Tree = Map<string, { content: Buffer } | undefined>;

export interface CrashState {
  tree: Tree;

  /** The marks before the crash. */
  marks: string[];

  /** The last operation before the crash, and what became of unsynced changes. */
  description: string;
}

/**
 * The states that a power cut can leave in a folder that was empty: after each operation, unsynced content is lost, kept or
 * damaged, and unsynced changes of names are lost or kept, each by itself. Equal states are returned once.
 *
 * @param samples - random states after each operation, besides the systematic ones
 */
export function crashStates(
  operations: readonly FileOperation[],
  { root, random, samples }: { root: string; random: Random; samples: number },
): CrashState[] {
  const disk = new SimulatedDisk(root);
  const marks: string[] = [];
  const states = new Map<string, CrashState>();
  const systematic = [
    { name: 'all unsynced changes are lost', keeps: () => false, fate: (): Fate => 'lost' },
    { name: 'all unsynced changes are kept', keeps: () => true, fate: (): Fate => 'kept' },
    { name: 'names are kept, content is lost', keeps: () => true, fate: (): Fate => 'lost' },
    { name: 'names are kept, content is zeros', keeps: () => true, fate: (): Fate => 'zeros' },
    { name: 'names are kept, content is cut', keeps: () => true, fate: (): Fate => 'half' },
  ];
  const sampled = Array.from({ length: samples }, () => ({
    name: 'some changes are kept',
    keeps: () => random(2) === 0,
    fate: () => fates[random(fates.length)] ?? 'lost',
  }));
  for (const operation of operations) {
    if (operation.do === 'mark') {
      marks.push(operation.text);
      continue;
    }
    disk.apply(operation);
    for (const { name, keeps, fate } of [...systematic, ...sampled]) {
      const tree = disk.after(keeps, fate, random);
      const key = `${marks.length} ${digestOf(tree)}`;
      if (states.has(key)) continue;
      const subject = 'path' in operation ? operation.path : 'to' in operation ? operation.to : `fd ${operation.fd}`;
      states.set(key, { tree, marks: [...marks], description: `after ${operation.do} ${subject}: ${name}` });
    }
  }
  return [...states.values()];
}

/** Creates the files of a state in an empty folder. */
export function materialize({ tree }: CrashState, folder: string): void {
  const made = new Map<object, string>();
  mkdirSync(folder, { recursive: true });
  for (const [name, file] of tree) {
    const path = join(folder, name);
    const other = file && made.get(file);
    if (!file) mkdirSync(path, { recursive: true });
    else if (other !== undefined) linkSync(other, path);
    else {
      writeFileSync(path, file.content);
      made.set(file, path);
    }
  }
}

function digestOf(tree: Tree): string {
  const hash = createHash('sha256');
  for (const [name, file] of tree)
    hash
      .update(`${name}\0`)
      .update(file ? `${file.content.length} ` : '/')
      .update(file?.content ?? '');
  return hash.digest('hex');
}

class SimulatedDisk {
  readonly #root: string;
  readonly #top = new FolderNode();
  readonly #open = new Map<number, { node: Node; at: number; appends: boolean }>();

  constructor(root: string) {
    this.#root = root;
  }

  apply(operation: Exclude<FileOperation, { do: 'mark' }>): void {
    switch (operation.do) {
      case 'open': {
        const { path, fd, creates, truncates, appends } = operation;
        let node = this.#find(path);
        if (!node && creates) this.#change(path, (node = new FileNode()));
        if (!node) throw new Error(`${path} was opened, but is unknown`);
        if (truncates && node instanceof FileNode && node.content.length > 0) node.unsynced.push({ size: 0 });
        this.#open.set(fd, { node, at: 0, appends });
        return;
      }
      case 'write': {
        const file = this.#file(operation.fd);
        const at = operation.at ?? (file.appends ? file.node.content.length : file.at);
        file.node.unsynced.push({ at, data: operation.data });
        if (operation.at === undefined) this.#open.get(operation.fd)!.at = at + operation.data.length;
        return;
      }
      case 'truncate':
        this.#file(operation.fd).node.unsynced.push({ size: operation.size });
        return;
      case 'sync':
        this.#open.get(operation.fd)?.node.sync();
        return;
      case 'mkdir':
        this.#change(operation.path, new FolderNode());
        return;
      case 'unlink':
      case 'rmdir':
        this.#change(operation.path, undefined);
        return;
      case 'link':
        this.#change(operation.to, this.#find(operation.from));
        return;
      case 'rename': {
        const { from, to } = operation;
        const node = this.#find(from);
        if (dirname(from) === dirname(to)) {
          this.#folder(dirname(to)).unsynced.push({
            names: [
              [basename(to), node],
              [basename(from), undefined],
            ],
          });
          return;
        }
        const added = this.#change(to, node);
        this.#folder(dirname(from)).unsynced.push({ names: [[basename(from), undefined]], onlyWith: added });
      }
    }
  }

  /** What is left when only some changes reach the disk. */
  after(keeps: () => boolean, fate: () => Fate, random: Random): Tree {
    const kept = new Map<NameChange, boolean>();
    const unsynced = new Set<NameChange>();
    const visit = (folder: FolderNode): void => {
      for (const change of folder.unsynced) unsynced.add(change);
      for (const node of new Set([...folder.durable.values(), ...folder.names.values()]))
        if (node instanceof FolderNode) visit(node);
    };
    visit(this.#top);
    const isKept = (change: NameChange): boolean => {
      const known = kept.get(change);
      if (known !== undefined) return known;
      const withIt = change.onlyWith;
      const result = (withIt === undefined || !unsynced.has(withIt) || isKept(withIt)) && keeps();
      kept.set(change, result);
      return result;
    };
    const tree: Tree = new Map();
    const contents = new Map<FileNode, { content: Buffer }>();
    const add = (folder: FolderNode, prefix: string): void => {
      for (const [name, node] of [...folder.after(isKept)].sort(([a], [b]) => (a < b ? -1 : 1))) {
        const path = `${prefix}${name}`;
        if (node instanceof FolderNode) {
          tree.set(path, undefined);
          add(node, `${path}/`);
          continue;
        }
        const content = contents.get(node) ?? { content: node.after(fate(), random) };
        contents.set(node, content);
        tree.set(path, content);
      }
    };
    add(this.#top, '');
    return tree;
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#top;
    for (const name of path.slice(this.#root.length).split('/').filter(Boolean)) {
      if (!(node instanceof FolderNode)) return undefined;
      node = node.names.get(name);
    }
    return node;
  }

  #folder(path: string): FolderNode {
    const node = this.#find(path);
    if (!(node instanceof FolderNode)) throw new Error(`${path} is not a folder`);
    return node;
  }

  #file(fd: number): { node: FileNode; at: number; appends: boolean } {
    const open = this.#open.get(fd);
    if (!(open?.node instanceof FileNode)) throw new Error(`fd ${fd} is not an open file`);
    return { ...open, node: open.node };
  }

  #change(path: string, node: Node | undefined): NameChange {
    const change: NameChange = { names: [[basename(path), node]] };
    this.#folder(dirname(path)).unsynced.push(change);
    return change;
  }
}
