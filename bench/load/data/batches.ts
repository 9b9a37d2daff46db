import { sameShape, shapeText } from '../../../src/types/tensor.js';
import { DataError } from './data-error.js';
import type { Step, TensorData } from './data-set.js';

/**
 * Steps of `batchSize` rows out of steps of one row, as perf_analyzer makes them: a batch has the rows of the steps that follow one another,
 * the first ones again behind the last. The next request goes on behind it; in a sequence, where each row is a sequence of its own, it is
 * one step further. Throws a DataError where tensors of rows are too different to be one.
 * @param where the stream, for messages
 */
export function batched(rows: readonly Step[], batchSize: number, isSequence: boolean, where: string): Step[] {
  const stride = isSequence ? 1 : batchSize;
  const count = rows.length / greatestCommonDivisor(rows.length, stride);
  return Array.from({ length: count }, (_, nth) => {
    const at = (row: number) => (nth * stride + row) % rows.length;
    const batch = Array.from({ length: batchSize }, (_, row) => rows[at(row)]!);
    return joined(batch, `${where}, batch from step ${at(0)} on`);
  });
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Parameters are those of its first row. */
function joined(rows: readonly Step[], where: string): Step {
  const first = rows[0]!;
  const expected = rows.map((row) => row.expected ?? []);
  return {
    inputs: joinTensors(
      rows.map(({ inputs }) => inputs),
      `${where}, input`,
    ),
    expected: expected.every(({ length }) => length === 0) ? null : joinTensors(expected, `${where}, output`),
    parameters: first.parameters,
  };
}

function joinTensors(rows: readonly (readonly TensorData[])[], where: string): TensorData[] {
  const names = new Set(rows.flatMap((tensors) => tensors.map(({ name }) => name)));
  return [...names].map((name) => {
    const parts = rows.map((tensors) => tensors.find((tensor) => tensor.name === name));
    const first = parts.find((part) => part !== undefined)!;
    for (const part of parts) checkPart(part, first, `${where} '${name}'`);
    const bytes = Buffer.concat(parts.map((part) => part!.bytes));
    return { ...first, shape: [rows.length, ...first.shape], bytes };
  });
}

function checkPart(part: TensorData | undefined, first: TensorData, where: string): void {
  if (part === undefined)
    throw new DataError(`${where}: some of its steps have it, some do not; batches of one row (-b 1) can differ so`);
  if (sameShape(part.shape, first.shape)) return;
  throw new DataError(
    `${where}: expected the same shape in each of its steps, found ${shapeText(first.shape)} and ${shapeText(part.shape)}; ` +
      'batches of one row (-b 1) can differ so',
  );
}
