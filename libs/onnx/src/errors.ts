import { defineError } from '@nautil/contracts';

/** onnxruntime is not installed, or has no binary for this machine. */
export class OnnxRuntimeMissing extends defineError('OnnxRuntimeMissing', 'environment') {}

/** onnxruntime rejected a model, or a run of it failed. The message is onnxruntime's. */
export class OnnxRuntimeError extends defineError('OnnxRuntimeError', 'training') {}

/** A model is larger than a file of ONNX can be. */
export class OnnxTooLarge extends defineError('OnnxTooLarge', 'config') {}
