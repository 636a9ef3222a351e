import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import { type CudaLibrary, findCudaLibraries } from './gpu/cuda-libraries.js';
import { Graph } from './graph.js';
import { openTensorFlow, type TensorFlow } from './library.js';
import { type Device, Session } from './session.js';

/** What `nautil doctor` shows of TensorFlow. */
export interface TensorFlowInspection extends TensorFlow {
  devices: Device[];

  /** NVIDIA's libraries, for a build with CUDA: found beside TensorFlow or where the system finds them, and loaded. */
  libraries: (CudaLibrary & { problem?: string | undefined })[];
}

/** Loads TensorFlow and everything that it needs for GPUs. For a process of its own: a broken library may end it. */
export function inspectTensorFlow(): TensorFlowInspection {
  const tensorflow = openTensorFlow();
  const graph = new Graph();
  const session = new Session(graph);
  const devices = session.devices();
  session.close();
  graph.close();
  const libraries = tensorflow.build === 'cuda' ? findCudaLibraries(tensorflow.library).map(loaded) : [];
  return { ...tensorflow, devices, libraries };
}

function loaded(library: CudaLibrary): TensorFlowInspection['libraries'][number] {
  const { name, path } = library;
  try {
    koffi.load(path ?? name, { global: true });
    return path === undefined ? { name, path: pathInMaps(name) } : library;
  } catch (error) {
    // A library that is in neither place is missing, not broken.
    return path === undefined
      ? library
      : { ...library, problem: error instanceof Error ? error.message : String(error) };
  }
}

/** Where the system has found a loaded library. */
function pathInMaps(name: string): string {
  const paths = readFileSync('/proc/self/maps', 'utf8').match(/\/\S+/g) ?? [];
  return paths.find((path) => path.includes(`/${name}`)) ?? name;
}
