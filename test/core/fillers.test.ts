import { expect, test } from 'vitest';
import type { BatchOutputs } from '../../src/backends/batch-outputs.js';
import type { InferRequest } from '../../src/backends/request.js';
import { normalizeConfig } from '../../src/config/normalize.js';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import type { AdmittedRequest } from '../../src/core/admitted-request.js';
import { checkRequest } from '../../src/core/check-request.js';
import { Fillers } from '../../src/core/fillers.js';
import { ModelTensors } from '../../src/core/model-tensors.js';
import { ControlWriter, controlsOf } from '../../src/core/sequence-controls.js';
import { Arena } from '../../src/memory/arena.js';
import { LINE_BEGIN, LINE_BYTES, LINE_DIMS, LINE_RANK, VARIABLE } from '../../src/memory/layout.js';

const CONTROLS = `sequence_batching {
  control_input { name: "READY" control { kind: CONTROL_SEQUENCE_READY fp32_false_true: [ -1, 1 ] } }
  control_input { name: "CORRID" control { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_UINT64 } }
}`;

function setUp(dims: string, datatype = 'INT32', more = '') {
  const text = `name: "m" max_batch_size: 4 input { name: "A" data_type: TYPE_${datatype === 'BYTES' ? 'STRING' : datatype} dims: [ ${dims} ] ${more} }
    output { name: "Z" data_type: TYPE_INT32 dims: [ 1 ] } ${CONTROLS}`;
  const config = normalizeConfig(parseModelConfig(text, 'config.pbtxt'), { gpus: [] });
  const tensors = new ModelTensors(config, new Map());
  const arena = new Arena(1 << 24);
  // Whatever lay there before.
  arena.bytes.fill(0xaa);
  const fillers = new Fillers(tensors, new ControlWriter(controlsOf(config), arena.bytes), arena);
  const like = (...shape: number[]) => {
    const byteSize = datatype === 'BYTES' ? 0 : 4 * shape.reduce((product, dim) => product * dim, 1);
    const plan = checkRequest('m', tensors, {
      id: '',
      priority: 0,
      timeoutUs: 0,
      sequenceId: 1,
      sequenceStart: true,
      sequenceEnd: false,
      inputs: [{ name: 'A', datatype, shape, source: { kind: 'binary', byteSize } }],
      outputs: [],
      binaryOutput: true,
      parameters: new Map(),
    });
    return { plan, batchKey: plan.batchKey } as unknown as AdmittedRequest;
  };
  return { fillers, arena, tensors, like };
}

const outputs = { release: () => {} } as unknown as BatchOutputs;
const end = (filler: InferRequest) => filler.complete(outputs, 0, 0);

test('a filler is a row of zeros whose controls are false, and one does for all', () => {
  const { fillers, arena, tensors, like } = setUp('2');
  const filler = fillers.filler(like(1, 2))!;
  const view = new DataView(arena.buffer);
  const at = tensors.inputLayouts().map(({ planeOffset }) => filler.slotOffset + planeOffset);
  expect([filler.row, view.getInt32(at[0]!, true), view.getInt32(at[0]! + 4, true)]).toEqual([0, 0, 0]);
  expect([view.getFloat32(at[1]!, true), view.getBigUint64(at[2]!, true)]).toEqual([-1, 0n]);
  expect(fillers.filler(like(1, 2))).toBe(filler);
  end(filler);
  end(filler);
  expect(arena.slots).toBe(1);
  fillers.close();
  expect(arena.slots).toBe(0);
});

test.each([
  ['of the shape of the request', 'INT32', '-1', [1, 3], 12],
  ['of texts that are empty', 'BYTES', '-1', [1, 3], 12],
  ['of large rows', 'INT32', '100000', [1, 100_000], 400_000],
] as const)('a filler %s has a slot of its own', (_, datatype, dims, shape, bytes) => {
  const { fillers, arena, like } = setUp(dims, datatype);
  const filler = fillers.filler(like(...shape))!;
  const table = new Float64Array(arena.buffer, filler.slotOffset);
  expect([filler.row, table[LINE_BYTES]]).toEqual([VARIABLE, bytes]);
  const begin = filler.slotOffset + table[LINE_BEGIN]!;
  expect(arena.bytes.subarray(begin, begin + bytes).every((byte) => byte === 0)).toBe(true);
  end(filler);
  fillers.close();
  expect(arena.slots).toBe(0);
});

test.each([
  ['INT32', '-1', [1, 0]],
  ['BYTES', '-1', [1, 0]],
  ['INT32', '2, -1', [1, 2, 0]],
] as const)('one filler of ragged %s %s does for all shapes: it has no elements', (datatype, dims, shape) => {
  const { fillers, arena, like } = setUp(dims, datatype, 'allow_ragged_batch: true');
  const rest = shape.slice(2).map(() => 2);
  const filler = fillers.filler(like(1, ...rest, 3))!;
  const table = new Float64Array(arena.buffer, filler.slotOffset);
  expect([table[LINE_BYTES], ...table.subarray(LINE_RANK, LINE_DIMS + shape.length)]).toEqual([
    0,
    shape.length,
    ...shape,
  ]);
  expect(fillers.filler(like(1, ...rest, 7))).toBe(filler);
  end(filler);
  end(filler);
  fillers.close();
  expect(arena.slots).toBe(0);
});

test('of many shapes the last few are kept, and one that is in use lives until it is not', () => {
  const { fillers, arena, like } = setUp('-1');
  const first = fillers.filler(like(1, 1))!;
  for (let length = 2; length < 30; length++) end(fillers.filler(like(1, length))!);
  expect(arena.slots).toBe(9);
  end(first);
  expect(arena.slots).toBe(8);
  fillers.close();
  expect(arena.slots).toBe(0);
});

test('without memory there is no filler', () => {
  const { fillers, arena, like } = setUp('-1');
  while (arena.take(1 << 12) !== null);
  expect(fillers.filler(like(1, 100_000))).toBeNull();
});
