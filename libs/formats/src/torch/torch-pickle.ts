import { CorruptFile, UnsafePickle } from '../errors.js';
import type { TensorDType } from '../tensor-dtype.js';
import {
  PickleClass,
  type PickleOptions,
  PickleRecord,
  PickleTuple,
  type PickleValue,
  runPickle,
} from './pickle-machine.js';
import { isCount, makeTensor, TorchStorage, TorchTensor } from './torch-tensor.js';

/**
 * Runs a pickle of torch.save. This file is the complete allow-list of imports: a storage class maps to an element type, a
 * function of torch creates a view, and a record class only keeps its arguments and state.
 *
 * @throws UnsafePickle for any other import
 */
export function runTorchPickle(bytes: Uint8Array, name: string): { value: PickleValue; end: number } {
  return runPickle(bytes, torchOptions(name));
}

const storageTypes: Readonly<Record<string, TensorDType>> = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
};

/** The type of the views of an untyped storage, as `torch.float32` and so on. */
const dtypes: Readonly<Record<string, TensorDType>> = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint8: 'U8',
  bool: 'BOOL',
};

/**
 * Classes of plain data that stand beside the weights in real files: arguments of Megatron-LM, hyperparameters of
 * Lightning (OmegaConf), NumPy's random state. Their code never runs.
 */
const recordClasses: ReadonlySet<string> = new Set([
  'argparse.Namespace',
  'builtins.complex',
  'builtins.float',
  'builtins.int',
  'builtins.object',
  'builtins.str',
  'builtins.dict',
  'builtins.list',
  'collections.Counter',
  'copyreg._reconstructor',
  'datetime.timedelta',
  'lightning_fabric.utilities.data.AttributeDict',
  'megatron.core.enums.ModelType',
  'megatron.enums.AttnMaskType',
  'megatron.enums.AttnType',
  'megatron.enums.LayerType',
  'megatron.enums.ModelType',
  'megatron.enums.PositionEmbeddingType',
  'megatron.model.enums.AttnMaskType',
  'megatron.model.enums.AttnType',
  'megatron.model.enums.LayerType',
  'megatron.model.enums.ModelType',
  'megatron.model.enums.PositionEmbeddingType',
  'numpy._core.multiarray._reconstruct',
  'numpy._core.multiarray.scalar',
  'numpy.core.multiarray._reconstruct',
  'numpy.core.multiarray.scalar',
  'numpy.dtype',
  'numpy.ndarray',
  'omegaconf.base.ContainerMetadata',
  'omegaconf.base.Metadata',
  'omegaconf.dictconfig.DictConfig',
  'omegaconf.listconfig.ListConfig',
  'omegaconf.nodes.AnyNode',
  'omegaconf.nodes.BooleanNode',
  'omegaconf.nodes.FloatNode',
  'omegaconf.nodes.IntegerNode',
  'omegaconf.nodes.StringNode',
  'pathlib.PosixPath',
  'pytorch_lightning.utilities.parsing.AttributeDict',
  'torch.device',
  'typing.Any',
]);

// A pickle can copy the same long list any number of times.
const mostCopiedItems = 1_000_000;

// A string is stored once and encoded any number of times. Only small arrays, such as NumPy's random state, are stored so.
const mostEncodedBytes = 16 << 20;

function torchOptions(path: string): PickleOptions {
  let copied = 0;
  let encodedBytes = 0;
  const copy = (items: PickleValue | undefined): readonly PickleValue[] => {
    const list = items instanceof PickleTuple ? items.items : (items ?? []);
    if (!Array.isArray(list))
      throw new CorruptFile(path, 'the pickle makes a collection from something that is not a list');
    copied += list.length;
    if (copied > mostCopiedItems) throw new CorruptFile(path, `the pickle copies more than ${mostCopiedItems} items`);
    return list as readonly PickleValue[];
  };
  const pairs = (items: PickleValue | undefined): Map<PickleValue, PickleValue> => {
    const map = new Map<PickleValue, PickleValue>();
    for (const pair of copy(items)) {
      const [key = null, value = null] = copy(pair);
      map.set(key, value);
    }
    return map;
  };

  const functions: Readonly<Record<string, (args: readonly PickleValue[]) => PickleValue>> = {
    'collections.OrderedDict': ([items]) => pairs(items),
    'collections.defaultdict': () => new Map(),
    'builtins.set': ([items]) => new Set(copy(items)),
    'builtins.frozenset': ([items]) => new Set(copy(items)),
    '_codecs.encode': ([text, encoding]) => {
      if (typeof text !== 'string' || encoding !== 'latin1')
        throw new CorruptFile(path, 'the pickle encodes something other than latin1 text');
      encodedBytes += text.length;
      if (encodedBytes > mostEncodedBytes)
        throw new CorruptFile(path, `the pickle encodes more than ${mostEncodedBytes} bytes of text`);
      return new Uint8Array(Buffer.from(text, 'latin1'));
    },
    'torch.Size': ([dimensions]) => dimensions ?? new PickleTuple([]),
    'torch._utils._rebuild_tensor': ([storage, offset, shape, strides]) =>
      makeTensor(path, storage, offset, shape, strides),
    'torch._utils._rebuild_tensor_v2': ([storage, offset, shape, strides]) =>
      makeTensor(path, storage, offset, shape, strides),
    // (storage, offset, shape, strides, requires_grad, hooks, dtype, metadata)
    'torch._utils._rebuild_tensor_v3': ([storage, offset, shape, strides, , , dtype]) =>
      makeTensor(
        path,
        storage,
        offset,
        shape,
        strides,
        dtype instanceof PickleRecord ? dtypes[dtype.className.slice('torch.'.length)] : undefined,
      ),
    'torch._utils._rebuild_parameter': ([tensor]) => onlyTensor(path, tensor),
    'torch._utils._rebuild_parameter_with_state': ([tensor]) => onlyTensor(path, tensor),
    // (function, type, arguments, state): a subclass of Tensor, or a tensor with attributes.
    'torch._tensor._rebuild_from_type_v2': ([rebuild, , args]) => {
      if (!(rebuild instanceof PickleClass) || !(args instanceof PickleTuple))
        throw new CorruptFile(path, 'the pickle rebuilds something that is not a tensor');
      return onlyTensor(path, rebuild.make(args.items));
    },
  };

  return {
    name: path,
    findClass(module, name) {
      // Python 2 has other names for two of the modules.
      const full = `${module}.${name}`.replace(/^__builtin__\./, 'builtins.').replace(/^copy_reg\./, 'copyreg.');
      if (Object.hasOwn(functions, full)) return new PickleClass(full, functions[full] ?? (() => null));
      if (module === 'torch' && Object.hasOwn(storageTypes, name)) return new StorageClass(full, storageTypes[name]);
      if (full === 'torch.storage.UntypedStorage' || full === 'torch.UntypedStorage')
        return new StorageClass(full, undefined);
      if (module === 'torch' && Object.hasOwn(dtypes, name)) return new PickleRecord(full, []);
      if (full === 'torch.Tensor' || full === 'torch.nn.parameter.Parameter') return new PickleRecord(full, []);
      if (recordClasses.has(full)) return new PickleClass(full, (args) => new PickleRecord(full, args));
      return undefined;
    },
    load: (id) => loadStorage(path, id),
  };
}

function onlyTensor(path: string, value: PickleValue | undefined): TorchTensor {
  if (value instanceof TorchTensor) return value;
  throw new CorruptFile(path, 'the pickle makes a parameter from something that is not a tensor');
}

/** A storage class is named in persistent ids and never called. */
class StorageClass extends PickleClass {
  readonly dtype: TensorDType | undefined;

  constructor(name: string, dtype: TensorDType | undefined) {
    super(name, () => {
      throw new CorruptFile(name, 'the pickle creates a storage without the location of its bytes');
    });
    this.dtype = dtype;
  }
}

/** ('storage', class, key, device, size), with view metadata as a sixth item in the stream of PyTorch before 1.6. */
function loadStorage(path: string, id: PickleValue): TorchStorage {
  const [what, type, key, , size, view] = id instanceof PickleTuple ? id.items : [];
  if (what === 'module') {
    throw new UnsafePickle(path, 'the pickle holds a whole module with its source code, not only its weights', {
      hint: 'nothing was executed; load it in PyTorch and save model.state_dict()',
    });
  }
  if (what !== 'storage' || !(type instanceof StorageClass) || typeof key !== 'string' || !isCount(size)) {
    throw new CorruptFile(path, 'the pickle refers to data outside of it in an unknown way');
  }
  if (view !== undefined && view !== null) {
    throw new CorruptFile(path, 'the pickle has a storage that is a view of another, as no PyTorch since 0.4 writes');
  }
  return new TorchStorage(key, type.dtype, size);
}
