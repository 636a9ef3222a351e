import { expect, test } from '@jest/globals';
import { debertaBucket, mpnetBucket } from './relative-buckets.js';

// The expected buckets are those of transformers 5.23 in torch: MPNetEncoder.relative_position_bucket and make_log_bucket_position.

test.each([
  [0, 0],
  [-1, 1],
  [7, 23],
  [8, 24],
  [-8, 8],
  [-11, 8],
  [-12, 9],
  [15, 25],
  [16, 26],
  [31, 27],
  [32, 28],
  [63, 29],
  [64, 30],
  [127, 31],
  [128, 31],
  [-1999, 15],
])('MPNet has the distance %s in bucket %s', (distance, bucket) => {
  expect(mpnetBucket(distance)).toBe(bucket);
});

test.each([
  // The ratio of the logarithm is 8, whose thirds are whole numbers: a rounding error would move 8 and 16 to the next bucket.
  {
    buckets: 8,
    farthest: 33,
    distances: [-5, -4, 0, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 40],
    expected: [-5, -4, 0, 3, 4, 5, 5, 5, 5, 6, 6, 6, 7, 7, 7, 7, 8, 8],
  },
  // DeBERTa v3
  {
    buckets: 256,
    farthest: 512,
    distances: [127, 128, 129, 130, -131, 170, 200, 255, 256, 300, 400, -510, 511, 512],
    expected: [127, 128, 129, 130, -131, 155, 169, 192, 192, 207, 233, -255, 255, 256],
  },
])('DeBERTa has logarithmic buckets beyond half of $buckets', ({ distances, expected, ...o }) => {
  expect(distances.map((distance) => debertaBucket(distance, o))).toEqual(expected);
});
