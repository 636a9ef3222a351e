import { cudaLibraryNames } from './cuda-libraries.js';
import type { GpuFacts } from './gpu-facts.js';

/** A reason why TensorFlow cannot use a GPU of this machine. */
export interface GpuProblem {
  what: string;

  /** What to do about it. */
  remedy: string;
}

/** CUDA 12's own minimum: a newer driver runs every 12.x. */
const oldestDriver = '525.60.13';

/** TensorFlow 2.21 has code for this compute capability and newer ones. */
const oldestCapability = '6.0';

/**
 * What keeps TensorFlow from using a GPU: first what concerns the machine, then the installation. A fact that is absent causes no
 * problem. Nothing is reported twice: a machine without a card lacks no driver.
 */
export function gpuProblems(facts: GpuFacts): GpuProblem[] {
  const machine = machineProblem(facts);
  if (machine === noCard || machine === noCardInContainer) return [machine];
  const problems = [machine, hidden(facts), ...installationProblems(facts)].filter((problem) => problem !== undefined);
  if (problems.length > 0 || facts.listed === undefined || facts.listed > 0) return problems;
  return [
    {
      what: 'TensorFlow lists no GPU, although the driver, its device files and all libraries are there',
      remedy:
        "`npx nautil doctor` shows TensorFlow's log; a GPU that failed (`sudo dmesg | grep -i xid`) needs a reset or a reboot",
    },
  ];
}

const noCard: GpuProblem = {
  what: 'this machine has no NVIDIA GPU',
  remedy: 'train on a machine that has one, where `nvidia-smi` lists it',
};

const noCardInContainer: GpuProblem = {
  what: 'this container has no NVIDIA GPU',
  remedy:
    'on a machine with a GPU, start it with `--gpus all` (Docker, Podman; needs the NVIDIA Container Toolkit), or request `nvidia.com/gpu: 1` (Kubernetes)',
};

/** The first of the problems of driver, device files and card: each hides those after it. */
function machineProblem(facts: GpuFacts): GpuProblem | undefined {
  const { driver, deviceFiles, hasCard, isContainer, cards, smiProblem } = facts;
  const hasDriver = driver !== undefined || deviceFiles.length > 0 || (cards?.length ?? 0) > 0;
  if (isContainer && deviceFiles.length === 0 && (hasDriver || hasCard)) {
    return {
      what: 'the machine has an NVIDIA GPU, but this container was started without it',
      remedy:
        'start the container with `--gpus all` (Docker, Podman; needs the NVIDIA Container Toolkit), or request `nvidia.com/gpu: 1` (Kubernetes)',
    };
  }
  if (!hasDriver) {
    if (hasCard) {
      return {
        what: "the machine has an NVIDIA GPU, but NVIDIA's driver is not loaded",
        remedy: `install the driver ${oldestDriver} or newer (Ubuntu: \`sudo ubuntu-drivers install\`; otherwise nvidia.com/drivers), and reboot; \`nvidia-smi\` then lists the GPU`,
      };
    }
    return isContainer ? noCardInContainer : noCard;
  }
  const version = driver ?? cards?.[0]?.driver;
  if (version !== undefined && isOlder(version, oldestDriver)) {
    return {
      what: `NVIDIA's driver is ${version}, and CUDA 12 needs ${oldestDriver} or newer`,
      remedy: 'update the driver (Ubuntu: `sudo ubuntu-drivers install`; otherwise nvidia.com/drivers), and reboot',
    };
  }
  if (deviceFiles.length === 0) {
    return {
      what: "NVIDIA's driver is loaded, but its device files (/dev/nvidia0, …) are missing",
      remedy: 'create them with `sudo nvidia-modprobe -u -c=0`, or run `sudo nvidia-smi` once',
    };
  }
  const closed = deviceFiles.filter(({ isAccessible }) => !isAccessible).map(({ path }) => path);
  if (closed.length > 0) {
    return {
      what: `this user may not open ${closed.join(', ')}`,
      remedy:
        'add the user to the group that owns them (`ls -l /dev/nvidia*`; often `sudo usermod -aG video $USER`) and log in again',
    };
  }
  if (smiProblem !== undefined && /version mismatch/i.test(smiProblem)) {
    return {
      what: `the loaded driver and its libraries differ (${smiProblem})`,
      remedy: 'reboot: the driver was updated since the last start',
    };
  }
  if (cards !== undefined && smiProblem === undefined && cards.length === 0) {
    return {
      what: "NVIDIA's driver is loaded, but lists no GPU",
      remedy: 'see why with `sudo dmesg | grep -iE "nvrm|xid"`; a GPU that was lost needs a reboot',
    };
  }
  const capabilities = (cards ?? []).map(({ computeCapability }) => computeCapability);
  if (capabilities.length > 0 && capabilities.every((one) => one !== undefined && isOlder(one, oldestCapability))) {
    return {
      what: `the GPU has compute capability ${capabilities.join(', ')}, and this build of TensorFlow needs ${oldestCapability} or newer`,
      remedy: 'use a GPU of the generation Pascal (2016) or newer',
    };
  }
  return undefined;
}

function hidden({ visible }: GpuFacts): GpuProblem | undefined {
  if (visible === undefined || visibleTokens(visible).length > 0) return undefined;
  return {
    what: `CUDA_VISIBLE_DEVICES=${visible} hides every GPU`,
    remedy: 'unset CUDA_VISIBLE_DEVICES, or set it to the numbers of the GPUs to use, each once',
  };
}

function installationProblems({ build, libraries }: GpuFacts): GpuProblem[] {
  if (build === 'cpu') {
    return [
      {
        what: "the installed build of TensorFlow is the one for processors, without NVIDIA's libraries",
        remedy: 'install the build for GPUs with `npx nautil setup --gpu` (about 9 GB; `--dry-run` lists it)',
      },
    ];
  }
  if (build === undefined) return [];
  const missing = libraries.filter(({ path, problem }) => path === undefined && problem === undefined);
  const broken = libraries.filter(({ problem }) => problem !== undefined);
  const remedy = 'install them again with `npx nautil setup --gpu`';
  return [
    ...(missing.length === 0 ? [] : [{ what: notFound(missing.map(({ name }) => name)), remedy }]),
    ...broken.map(({ name, problem }) => ({ what: `${name} cannot be loaded: ${problem}`, remedy })),
  ];
}

const notFound = (names: readonly string[]): string =>
  names.length === cudaLibraryNames.length
    ? "none of NVIDIA's libraries can be found"
    : `libraries of NVIDIA cannot be found: ${names.join(', ')}`;

/** How CUDA_VISIBLE_DEVICES names GPUs. Its first name decides which of the ways the others follow. */
const tokenKinds = [/^\d+$/, /^GPU-[\w-]{0,36}$/, /^MIG-[\w/-]{0,60}$/];

/**
 * The names in CUDA_VISIBLE_DEVICES, numbers without leading zeros. As CUDA does, it ignores everything from the first that is not one
 * of the same kind, and selects no GPU when a name occurs twice.
 */
export function visibleTokens(visible: string): string[] {
  const tokens = visible.split(',').map((token) => token.trim());
  const kind = tokenKinds.find((one) => one.test(tokens[0] ?? ''));
  const end = tokens.findIndex((token) => kind?.test(token) !== true);
  const names = tokens.slice(0, end === -1 ? undefined : end).map((token) => token.replace(/^0+(?=\d)/, ''));
  return new Set(names).size === names.length ? names : [];
}

/** Compares versions by their numbers. */
function isOlder(version: string, than: string): boolean {
  const [own, other] = [version, than].map((text) => text.split('.').map(Number)) as [number[], number[]];
  for (const [i, part] of other.entries()) if ((own[i] ?? 0) !== part) return (own[i] ?? 0) < part;
  return false;
}
