import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { Copy, DockerfileParser, Env, From, type Instruction, JSONInstruction } from 'dockerfile-ast';
import { packageRoot } from '@nautil/store/folders';

// Runs the instructions of a Dockerfile without a container engine. Each image is a folder with what its instructions changed, above the
// file system of this machine, which stands in for the base image: an overlay, in a mount namespace of its own, that chroot enters. The
// instructions run as they are, apt-get and npm included. The checkout is hidden from them. Needs root.
//
// An overlay cannot have two lower layers of which one contains the other, so an image that is built on another starts with hard links to
// the other's files, instead of a layer above it.

/** What a container starts with. */
export interface Image {
  /** The folder with what this image has changed in the file system; undefined for the base image. */
  changes: string | undefined;
  env: Record<string, string>;
  user: string;
  workdir: string;
  entrypoint: string[];
  command: string[];
  healthcheck: string[];
}

/** What programs find in a container of Docker. */
const dockerPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Where npm and pip of this machine find their packages. An engine would get them as build arguments. */
const registries = Object.fromEntries(
  Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined &&
      /^(npm_config_registry|PIP_.*|.*_proxy|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE)$/i.test(entry[0]),
  ),
);

/** Mounts a folder of changes at a root, writable. */
const mountChanges = (changes: string, root: string): string[] => [
  `mkdir -p ${changes} ${changes}.work ${root}`,
  `mount -t overlay overlay -o lowerdir=/,upperdir=${changes},workdir=${changes}.work ${root}`,
  ...['proc', 'dev', 'sys'].map((name) => `mount --rbind /${name} ${root}/${name}`),
  `mount -t tmpfs tmpfs ${root}${packageRoot()}`,
];

/** Starts a folder of changes with those of an image. */
const copyChanges = ({ changes }: Image, to: string): string[] =>
  changes === undefined ? [] : [`cp --archive --link ${changes} ${to}`];

/** Runs shell commands in a mount namespace that ends with them. */
function inNamespace(lines: string[], o: { log: (text: string) => void }): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('unshare', ['--mount', '/bin/sh', '-euc', lines.join('\n')], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output = `${output}${text}`.slice(-10_000);
        o.log(text);
      });
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`exit code ${String(code)} of:\n${lines.at(-1) ?? ''}\n${output}`)),
    );
  });
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** The command that enters a root, with the variables, the user and the working folder of an image. */
function entering(
  root: string,
  { env, user, workdir }: Image,
  argv: string[],
  more: Record<string, string> = {},
): string {
  const variables = Object.entries({ PATH: dockerPath, HOME: '/root', ...more, ...env }).map(([name, value]) =>
    quoted(`${name}=${value}`),
  );
  const identity = user === '' ? '' : `--userspec=${user}:${user}`;
  const cd = `cd ${quoted(workdir)} && exec "$@"`;
  return `exec chroot ${identity} ${root} /usr/bin/env -i ${variables.join(' ')} /bin/sh -c ${quoted(cd)} sh ${argv.map(quoted).join(' ')}`;
}

const argumentsOf = (instruction: Instruction): string[] => instruction.getArguments().map((one) => one.getValue());

/** A command as a list of strings, or a line for the shell. */
function commandOf(instruction: Instruction): string[] {
  const strings = instruction instanceof JSONInstruction ? instruction.getJSONStrings() : [];
  if (strings.length > 0) return strings.map((one) => one.getJSONValue());
  return ['/bin/sh', '-c', instruction.getRawArgumentsContent() ?? ''];
}

/** Builds the stages of a Dockerfile that a target needs. */
export class PlainBuild {
  readonly #folder: string;
  readonly #context: string;
  readonly #log: (text: string) => void;
  readonly #stages: { name: string; from: string; instructions: Instruction[] }[] = [];
  readonly #images = new Map<string, Image>();

  /**
   * @param o.folder - where the images are written
   * @param o.context - the folder that COPY reads
   */
  constructor(dockerfile: string, o: { folder: string; context: string; log: (text: string) => void }) {
    this.#folder = o.folder;
    this.#context = o.context;
    this.#log = o.log;
    for (const instruction of DockerfileParser.parse(dockerfile).getInstructions()) {
      if (instruction instanceof From) {
        const [name, from] = [instruction.getBuildStage() ?? '', instruction.getImage() ?? ''];
        this.#stages.push({ name, from, instructions: [] });
      } else this.#stages.at(-1)?.instructions.push(instruction);
    }
  }

  async build(target: string): Promise<Image> {
    const known = this.#images.get(target);
    if (known !== undefined) return known;
    const stage = this.#stages.find(({ name }) => name === target);
    if (stage === undefined) throw new Error(`the Dockerfile has no stage ${target}`);
    const isStage = this.#stages.some(({ name }) => name === stage.from);
    const base: Image = isStage
      ? await this.build(stage.from)
      : { changes: undefined, env: {}, user: '', workdir: '/', entrypoint: [], command: [], healthcheck: [] };
    const changes = join(this.#newFolder(), 'changes');
    await inNamespace([...copyChanges(base, changes), `mkdir -p ${changes}`], { log: this.#log });
    const image = { ...base, changes, env: { ...base.env } };
    for (const instruction of stage.instructions) {
      this.#log(`\n[${target}] ${instruction.getKeyword()} ${instruction.getRawArgumentsContent() ?? ''}\n`);
      await this.#execute(instruction, image);
    }
    this.#images.set(target, image);
    return image;
  }

  async #execute(instruction: Instruction, image: Image): Promise<void> {
    if (instruction instanceof Copy) return this.#copy(instruction, image);
    if (instruction instanceof Env) {
      for (const property of instruction.getProperties())
        image.env[property.getName()] = (property.getValue() ?? '').replaceAll(
          '$PATH',
          image.env['PATH'] ?? dockerPath,
        );
      return;
    }
    switch (instruction.getKeyword()) {
      case 'RUN':
        return this.#change(image, (root) => [
          entering(root, image, ['/bin/sh', '-c', instruction.getRawArgumentsContent() ?? ''], registries),
        ]);
      case 'USER':
        [image.user = ''] = argumentsOf(instruction);
        return;
      case 'WORKDIR':
        [image.workdir = '/'] = argumentsOf(instruction);
        return;
      case 'ENTRYPOINT':
        image.entrypoint = commandOf(instruction);
        image.command = [];
        return;
      case 'CMD':
        image.command = commandOf(instruction);
        return;
      case 'HEALTHCHECK':
        image.healthcheck = JSON.parse(
          /CMD (\[.*\])$/.exec(instruction.getArgumentsContent() ?? '')?.[1] ?? '[]',
        ) as string[];
        return;
      case 'VOLUME':
      case 'STOPSIGNAL':
        return;
      default:
        throw new Error(`the plain container cannot run the instruction ${instruction.getKeyword()}`);
    }
  }

  async #copy(instruction: Copy, image: Image): Promise<void> {
    const from = instruction.getFromFlag()?.getValue();
    const paths = argumentsOf(instruction);
    const [target = ''] = paths.splice(-1);
    const source = from == null ? undefined : await this.build(from);
    const sourceRoot = source === undefined ? this.#context : join(this.#newFolder(), 'source');
    await this.#change(image, (root) => [
      ...(source?.changes === undefined ? [] : mountChanges(source.changes, sourceRoot)),
      `mkdir -p ${target.endsWith('/') ? `${root}${target}` : `$(dirname ${root}${target})`}`,
      // A folder means its content, as for an engine.
      ...paths.map(
        (path) =>
          `for found in ${join(sourceRoot, path)}; do if [ -d "$found" ]; then mkdir -p ${root}${target}; cp -a "$found/." ${root}${target}/; else cp -a "$found" ${root}${target}; fi; done`,
      ),
    ]);
  }

  async #change({ changes }: Image, lines: (root: string) => string[]): Promise<void> {
    const root = join(this.#newFolder(), 'root');
    const mounted = changes === undefined ? [] : mountChanges(changes, root);
    await inNamespace(['umask 022', ...mounted, ...lines(root)], { log: this.#log });
  }

  #newFolder(): string {
    mkdirSync(this.#folder, { recursive: true });
    return mkdtempSync(join(this.#folder, 'layer-'));
  }
}

/** A process in a root of its own, started as `docker run` starts a container. */
export class PlainContainer {
  readonly #image: Image;
  readonly #process: ChildProcess;
  readonly #variables: Record<string, string>;
  #output = '';

  /**
   * @param o.volume - a folder that is mounted at /var/lib/nautil
   * @param o.env - as `--env`
   */
  constructor(image: Image, o: { folder: string; volume: string; env: Record<string, string>; args?: string[] }) {
    const folder = mkdtempSync(join(o.folder, 'container-'));
    const [root, changes] = [join(folder, 'root'), join(folder, 'changes')];
    this.#image = { ...image, env: { ...image.env, ...o.env } };
    this.#variables = this.#image.env;
    const argv = [...image.entrypoint, ...(o.args ?? image.command)];
    const lines = [
      ...copyChanges(image, changes),
      ...mountChanges(changes, root),
      `mount --bind ${o.volume} ${root}/var/lib/nautil`,
      entering(root, this.#image, argv),
    ];
    // All of them replace one another, so the process id is that of the container's program.
    this.#process = spawn('unshare', ['--mount', '/bin/sh', '-euc', lines.join('\n')], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
  }

  /** What the container has printed. */
  get output(): string {
    return this.#output;
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** As `docker exec`. */
  exec(argv: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
    const { user, workdir } = this.#image;
    const identity = user === '' ? [] : ['--setuid', user, '--setgid', user];
    const variables = Object.entries({ PATH: dockerPath, ...this.#variables }).map(
      ([name, value]) => `${name}=${value}`,
    );
    const inside = [
      '/usr/bin/env',
      '-i',
      ...variables,
      '/bin/sh',
      '-c',
      `cd ${quoted(workdir)} && exec "$@"`,
      'sh',
      ...argv,
    ];
    const args = ['--target', String(this.#process.pid), '--mount', '--root', ...identity, '--', ...inside];
    return new Promise((resolve) =>
      execFile('nsenter', args, { maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
        resolve({ exitCode: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
      ),
    );
  }

  /** As an engine checks a container. */
  checkHealth(): Promise<{ exitCode: number; stdout: string; stderr: string }> {
    return this.exec(this.#image.healthcheck);
  }

  /** As `docker stop`. @returns the exit code */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (!this.isRunning) return this.#process.exitCode;
    const ended = new Promise<number | null>((resolve) => this.#process.once('exit', resolve));
    this.#process.kill(signal);
    return ended;
  }
}
