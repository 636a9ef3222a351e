import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { installedLibrary } from '../installed-library.js';
import { type CudaLibrary, findCudaLibraries } from './cuda-libraries.js';
import type { NvidiaCard } from './nvidia-smi.js';
import { buildOf, type TensorFlowBuild } from './tensorflow-build.js';

/** What decides whether TensorFlow can use a GPU of this machine. */
export interface GpuFacts {
  /** The version of NVIDIA's kernel driver, such as `550.54.15`; absent: it is not loaded. */
  driver?: string | undefined;

  /** The files through which programs reach the driver. */
  deviceFiles: DeviceFile[];

  /** Whether the PCI bus has a graphics card or an accelerator of NVIDIA. */
  hasCard: boolean;

  /** Whether this process runs in a container. */
  isContainer: boolean;

  /** CUDA_VISIBLE_DEVICES; absent: all GPUs are visible. */
  visible?: string | undefined;

  /** The build of TensorFlow; absent: unknown, or not installed. */
  build?: TensorFlowBuild | undefined;

  /** NVIDIA's libraries beside TensorFlow's. */
  libraries: (CudaLibrary & { problem?: string | undefined })[];

  /** What nvidia-smi lists; absent: it was not run. */
  cards?: NvidiaCard[] | undefined;

  /** Why nvidia-smi failed. */
  smiProblem?: string | undefined;

  /** The number of GPUs that TensorFlow lists; absent: it was not asked. */
  listed?: number | undefined;
}

interface DeviceFile {
  path: string;
  isAccessible: boolean;
}

export interface ReadGpuFactsOptions {
  /** The path of libtensorflow_cc.so.2; default: the one that is installed. */
  library?: string | undefined;

  /** The root of the file system; another one for tests. */
  root?: string;
  env?: NodeJS.ProcessEnv;
}

/** Reads what is known without loading TensorFlow and without running another program. */
export function readGpuFacts({
  library = installedLibrary(),
  root = '/',
  env = process.env,
}: ReadGpuFactsOptions = {}): GpuFacts {
  return {
    driver: driverVersion(root),
    deviceFiles: deviceFiles(root),
    hasCard: hasNvidiaCard(root),
    isContainer: isContainer(root, env),
    visible: env['CUDA_VISIBLE_DEVICES'],
    build: library === undefined ? undefined : buildOf(library),
    libraries: library === undefined ? [] : findCudaLibraries(library),
  };
}

/** Whether a driver of NVIDIA has created its device files here; on WSL, whether Windows offers its GPU. */
export const hasGpuDevice = (root = '/'): boolean =>
  ['dev/nvidiactl', 'dev/dxg'].some((path) => existsSync(join(root, path)));

/** The version in, for example, `NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024`. */
function driverVersion(root: string): string | undefined {
  const text = textOf(join(root, 'proc/driver/nvidia/version'));
  return /Kernel Module.*?\s(\d+\.\d+(?:\.\d+)?)\s/.exec(text)?.[1];
}

/** `nvidiactl`, `nvidia-uvm` and one `nvidiaN` for each GPU; on WSL `dxg`. */
function deviceFiles(root: string): DeviceFile[] {
  const folder = join(root, 'dev');
  return namesIn(folder)
    .filter((name) => /^(nvidia(ctl|-uvm|\d+)|dxg)$/.test(name))
    .sort()
    .map((name) => ({ path: join(folder, name), isAccessible: isAccessible(join(folder, name)) }));
}

function isAccessible(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

const nvidiaVendor = '0x10de';

/** Whether a PCI device of NVIDIA is a display controller (class 03) or a processing accelerator (class 12). */
function hasNvidiaCard(root: string): boolean {
  const folder = join(root, 'sys/bus/pci/devices');
  return namesIn(folder).some(
    (name) =>
      textOf(join(folder, name, 'vendor')).trim() === nvidiaVendor &&
      /^0x(03|12)/.test(textOf(join(folder, name, 'class'))),
  );
}

function isContainer(root: string, env: NodeJS.ProcessEnv): boolean {
  return (
    env['KUBERNETES_SERVICE_HOST'] !== undefined ||
    ['.dockerenv', 'run/.containerenv'].some((name) => existsSync(join(root, name))) ||
    /docker|containerd|kubepods|libpod|lxc/.test(textOf(join(root, 'proc/1/cgroup')))
  );
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
