import { expect, test } from '@jest/globals';
import { unknownToNemo } from './nemo-encoders.js';

test.each(['bert', 'distilbert', 'roberta', 'camembert', 'albert', undefined])(
  'NeMo 1.23 opens an archive of %s',
  (type) => {
    expect(unknownToNemo(type)).toBeUndefined();
  },
);

test.each(['xlm-roberta', 'electra', 'mpnet', 'deberta-v2', 'modernbert', 'megatron-bert'])(
  'NeMo 1.23 has no encoder of the type %s',
  (type) => {
    expect(unknownToNemo(type)).toContain(type);
  },
);
