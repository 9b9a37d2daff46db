import type { DataType } from '../../../src/types/datatype.js';
import { type Shape, sameShape, shapeText } from '../../../src/types/tensor.js';
import type { TensorData } from '../data/data-set.js';
import { type FixedElement, type FixedType, unpackElements, unpackStrings } from '../data/elements.js';
import { shown } from '../data/shown.js';
import type { Failure, WireProtocol } from '../wires/wire.js';
import { type AnswerBytes, answerOutputs } from './answer-outputs.js';

/**
 * By how much of the larger one two numbers may differ and still count as the same: rounding in another order is no mistake. Of FP16 and BF16
 * one step of the type. All other types must be equal.
 */
const tolerances: { readonly [datatype in DataType]?: number } = {
  FP64: 1e-5,
  FP32: 1e-5,
  FP16: 2 ** -10,
  BF16: 2 ** -7,
};

/** Numbers so near to each other count as the same, however small they are. */
const NEAR = 1e-8;

/**
 * Compares a good answer with what is expected of it; outputs that are not in `expected` are not looked at. null = it is right.
 * For use where there is something to expect: nothing here is fast but the case that all bytes are equal.
 */
export function checkAnswer(
  protocol: WireProtocol,
  expected: readonly TensorData[],
  answer: AnswerBytes,
): Failure | null {
  const message = differenceIn(protocol, expected, answer);
  return message === null ? null : { kind: 'wrong output', message };
}

function differenceIn(protocol: WireProtocol, expected: readonly TensorData[], answer: AnswerBytes): string | null {
  let outputs: readonly TensorData[];
  try {
    outputs = answerOutputs(protocol, answer);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  for (const wanted of expected) {
    const found = outputs.find(({ name }) => name === wanted.name);
    const difference = found === undefined ? 'it is not in the answer' : differenceOf(wanted, found);
    if (difference !== null) return `output '${wanted.name}': ${difference}`;
  }
  return null;
}

function differenceOf(wanted: TensorData, found: TensorData): string | null {
  if (wanted.datatype !== found.datatype) return `expected ${wanted.datatype}, found ${found.datatype}`;
  if (!sameShape(wanted.shape, found.shape)) {
    return `expected the shape ${shapeText(wanted.shape)}, found ${shapeText(found.shape)}`;
  }
  if (wanted.bytes.equals(found.bytes)) return null;
  const [wants, finds] = [elementsOf(wanted), elementsOf(found)];
  if (wants.length !== finds.length) return `expected ${wants.length} elements, found ${finds.length}`;
  const at = wants.findIndex((want, nth) => !isSame(found.datatype as DataType, want, finds[nth]!));
  return at < 0
    ? null
    : `element ${indexText(at, found.shape)}: expected ${text(wants[at]!)}, found ${text(finds[at]!)}`;
}

/** None where the lengths of strings are wrong. */
function elementsOf({ datatype, bytes }: TensorData): readonly (FixedElement | Buffer)[] {
  return datatype === 'BYTES' ? (unpackStrings(bytes) ?? []) : unpackElements(datatype as FixedType, bytes);
}

function isSame(datatype: DataType, want: FixedElement | Buffer, find: FixedElement | Buffer): boolean {
  if (Buffer.isBuffer(want)) return want.equals(find as Buffer);
  if (Object.is(want, find) || want === find) return true;
  const tolerance = tolerances[datatype];
  const difference = Math.abs(Number(want) - Number(find));
  // NaN where one of them is, infinite where one of them is: neither is near to anything.
  if (tolerance === undefined || !Number.isFinite(difference)) return false;
  return difference <= NEAR || difference <= tolerance * Math.max(Math.abs(Number(want)), Math.abs(Number(find)));
}

function text(element: FixedElement | Buffer): string {
  return shown(Buffer.isBuffer(element) ? element.toString() : element);
}

/** `[1,5]`: by dimension. */
function indexText(at: number, shape: Shape): string {
  const index: number[] = [];
  let rest = at;
  for (const dim of shape.toReversed()) {
    index.unshift(rest % dim);
    rest = Math.floor(rest / dim);
  }
  return shapeText(index);
}
