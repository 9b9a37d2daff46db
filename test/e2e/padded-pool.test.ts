import { expect, test } from 'vitest';
import { type Field, model, node, onnx, raw, tensor, tensorValue } from '../backends/onnx-builder.js';
import { ask, infer, outputsOf } from './requests.js';
import { ServerProcess } from './server.js';

/** AttributeProto of type INTS. */
function ints(name: string, values: readonly number[]): Field {
  const message = [
    { number: 1, text: name },
    ...values.map((varint) => ({ number: 8, varint })),
    { number: 20, varint: 7 },
  ];
  return { number: 5, message };
}

test('zeros that a model pads with are the largest of negative numbers', async () => {
  const padded = model({
    inputs: [tensorValue('X', onnx.FLOAT, [1, 1, 2, 2])],
    outputs: [tensorValue('Y', onnx.FLOAT, [1, 1, 2, 2])],
    initializers: [tensor('pads', onnx.INT64, [8], raw(BigInt64Array.of(0n, 0n, 1n, 1n, 0n, 0n, 1n, 1n)))],
    nodes: [
      node('Pad', ['X', 'pads'], ['wide']),
      [...node('MaxPool', ['wide'], ['Y']), ints('kernel_shape', [2, 2]), ints('strides', [2, 2])],
    ],
  });
  const server = await ServerProcess.start({ models: [], onnx: { padded } });
  const input = { name: 'X', datatype: 'FP32' as const, shape: [1, 1, 2, 2], data: [-1, -2, -3, -4] };
  expect(outputsOf(await ask(server.httpPort, infer('padded', [input]))).Y).toEqual([0, 0, 0, 0]);
  await server.stop();
});
