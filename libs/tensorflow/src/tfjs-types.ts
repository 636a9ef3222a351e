import type * as tfjsTypes from '@tensorflow/tfjs';

/** The namespace of tfjs. */
export type Tf = typeof tfjsTypes;
export type Tensor = tfjsTypes.Tensor;

/** How tfjs-node's backend describes a tensor that its binding created. */
export interface TensorMetadata {
  id: number;
  shape: number[];
  dtype: number;
}

export interface KernelAttr {
  name: string;
  type: number;
  value: unknown;
}

/** The parts of @tensorflow/tfjs-node's backend that are used here; its own types would pull in its native addon's. */
export interface NodeBackend {
  executeSingleOutput(type: string, attrs: KernelAttr[], inputs: tfjsTypes.TensorInfo[]): Tensor;
  createOutputTensor(metadata: TensorMetadata): Tensor;
  getInputTensorIds(tensors: tfjsTypes.TensorInfo[]): number[];
}
