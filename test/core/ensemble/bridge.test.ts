import { expect, test } from 'vitest';
import { bridgeShape } from '../../../src/core/ensemble/bridge.js';

const batching = (dims: readonly number[]) => ({ dims, batched: true });
const plain = (dims: readonly number[]) => ({ dims, batched: false });

test.each([
  // Between two of a kind nothing changes, whether it fits or not.
  [[3, 16], true, batching([16]), [3, 16]],
  [[16], true, batching([16]), [16]],
  [[1, 16], false, plain([16]), [1, 16]],
  // Into a batching model: one row gets its batch dimension, rows are a batch already.
  [[16], false, batching([16]), [1, 16]],
  [[16], false, batching([-1]), [1, 16]],
  [[4, 16], false, batching([16]), [4, 16]],
  [[4, 16], false, batching([-1, 16]), [1, 4, 16]],
  [[4, 16], false, batching([-1]), [4, 16]],
  [[], false, batching([]), [1]],
  [[5], false, batching([]), [5]],
  // Into a model that does not batch: a batch of one loses its dimension, if it fits then and not before.
  [[1, 16], true, plain([16]), [16]],
  [[1, 16], true, plain([-1]), [16]],
  [[1, 16], true, plain([-1, 16]), [1, 16]],
  [[1, 16], true, plain([1, 16]), [1, 16]],
  [[2, 16], true, plain([16]), [2, 16]],
  [[1, 16], true, plain([8]), [1, 16]],
  [[1], true, plain([]), []],
  [[0, 16], true, plain([16]), [0, 16]],
] as const)('shape %j, batched: %s, into %j is %j', (shape, isBatched, to, bridged) => {
  expect(bridgeShape(shape, isBatched, to)).toEqual(bridged);
});
