import { type DataType, elementBytes } from '../../../src/types/datatype.js';
import { elementCount, type Shape, sameShape, shapeText } from '../../../src/types/tensor.js';
import { expectedElement } from './check-element.js';
import { DataError } from './data-error.js';
import type { TensorData } from './data-set.js';
import { type FixedElement, packElements, packStrings, unpackStrings } from './elements.js';
import { fits, isOpen, type RowTensor, shapeFlag } from './input-shapes.js';
import { shown } from './shown.js';

const base64Pattern = /^[A-Za-z0-9+/]*={0,2}$/;

/** The elements of a tensor before it is known which shape they have. */
export interface Content {
  readonly bytes: Buffer;
  readonly count: number;
  /** Of nested arrays; null = flat. */
  readonly nesting: Shape | null;
}

/**
 * One tensor of a JSON file: an array, flat or nested; `{"b64": "..."}`; or either as `content`, with a `shape` beside it.
 * @param where for messages, which are DataErrors
 */
export function readTensor(value: unknown, tensor: RowTensor, where: string): TensorData {
  const object = value instanceof Map ? (value as ReadonlyMap<string, unknown>) : null;
  if (object !== null) checkMembers(object, where);
  const given = object?.has('shape') ? readShape(object.get('shape'), tensor, where) : null;
  const content = readContent(object?.has('content') ? object.get('content') : value, tensor.datatype, where);
  return withShape(tensor, content, given, where);
}

/** Throws where a tensor's size cannot be made out, or its elements are not as many as that says. */
export function withShape(tensor: RowTensor, content: Content, given: Shape | null, where: string): TensorData {
  const { name, datatype } = tensor;
  const { bytes, count, nesting } = content;
  const shape = given ?? guessShape(tensor, content);
  if (shape === null) {
    throw new DataError(
      `${where}: its shape is ${shapeText(tensor.shape)}, and ${count} elements do not say how large it is; ` +
        `write {"content": [...], "shape": [...]}, or for inputs give ${shapeFlag(tensor)}`,
    );
  }
  const wanted = elementCount(shape);
  if (wanted !== count) {
    throw new DataError(`${where}: expected ${wanted} elements for the shape ${shapeText(shape)}, found ${count}`);
  }
  if (nesting !== null && !sameShape(nesting, shape)) {
    throw new DataError(
      `${where}: expected the shape ${shapeText(shape)}, found arrays nested as ${shapeText(nesting)}; a flat array in row-major order will do`,
    );
  }
  return { name, datatype, shape, bytes };
}

/** null = it does not follow from what is there. */
function guessShape({ shape, modelShape }: RowTensor, { nesting, count }: Content): Shape | null {
  if (!isOpen(shape)) return shape;
  if (nesting !== null && fits(nesting, modelShape)) return nesting;
  const rest = shape.reduce((product, dim) => (dim === -1 ? product : product * dim), 1);
  const isOne = shape.indexOf(-1) === shape.lastIndexOf(-1);
  if (!isOne || rest === 0 || count % rest !== 0) return null;
  return shape.map((dim) => (dim === -1 ? count / rest : dim));
}

function checkMembers(object: ReadonlyMap<string, unknown>, where: string): void {
  const strange = [...object.keys()].find((name) => !['content', 'shape', 'b64'].includes(name));
  if (strange !== undefined) {
    throw new DataError(`${where}: expected the members 'content' and 'shape', or 'b64', found '${strange}'`);
  }
  if (object.has('content') === object.has('b64')) {
    throw new DataError(
      `${where}: expected its elements as 'content' or as 'b64', found ${object.has('b64') ? 'both' : 'neither'}`,
    );
  }
}

function readShape(value: unknown, { modelShape }: RowTensor, where: string): Shape {
  const isShape = Array.isArray(value) && value.every((dim) => Number.isSafeInteger(dim) && dim >= 0);
  if (!isShape) {
    throw new DataError(`${where}, 'shape': expected an array of whole numbers from 0 on, found ${shown(value)}`);
  }
  const shape = value as Shape;
  if (fits(shape, modelShape)) return shape;
  throw new DataError(
    `${where}, 'shape': expected one like ${shapeText(modelShape)}, as the model has it, found ${shapeText(shape)}; ` +
      'the batch dimension is not part of it',
  );
}

function readContent(value: unknown, datatype: DataType, where: string): Content {
  if (Array.isArray(value)) return readArray(value, datatype, where);
  if (value instanceof Map && value.has('b64')) return rawContent(decode(value.get('b64'), where), datatype, where);
  throw new DataError(
    `${where}: expected an array, {"b64": "..."} or {"content": ..., "shape": [...]}, found ${shown(value)}`,
  );
}

function readArray(array: readonly unknown[], datatype: DataType, where: string): Content {
  const nesting = nestingOf(array);
  const elements: unknown[] = [];
  flatten(array, nesting, 0, elements, where);
  elements.forEach((element, at) => {
    const expected = expectedElement(datatype, element);
    if (expected !== null) {
      throw new DataError(`${where}, element ${at}: expected ${expected} (${datatype}), found ${shown(element)}`);
    }
  });
  return {
    bytes:
      datatype === 'BYTES' ? packStrings(elements as string[]) : packElements(datatype, elements as FixedElement[]),
    count: elements.length,
    nesting: nesting.length > 1 ? nesting : null,
  };
}

/** As the first elements have it. */
function nestingOf(array: readonly unknown[]): Shape {
  const nesting: number[] = [];
  for (let level: unknown = array; Array.isArray(level); level = level[0]) nesting.push(level.length);
  return nesting;
}

function flatten(array: readonly unknown[], nesting: Shape, depth: number, elements: unknown[], where: string): void {
  const isInnermost = depth === nesting.length - 1;
  for (const element of array) {
    if (
      Array.isArray(element) === isInnermost ||
      (!isInnermost && (element as unknown[]).length !== nesting[depth + 1])
    ) {
      const level = shapeText(nesting.slice(depth + 1));
      const expected = isInnermost ? 'no array in it' : `arrays in it nested as ${level}, as the first is`;
      throw new DataError(`${where}: expected ${expected}, found ${shown(element)}`);
    }
    if (isInnermost) elements.push(element);
    else flatten(element as unknown[], nesting, depth + 1, elements, where);
  }
}

/** Elements as bytes, as they go over the wire. Throws where no whole number of elements lies in them. */
export function rawContent(bytes: Buffer, datatype: DataType, where: string): Content {
  if (datatype === 'BYTES') {
    const strings = unpackStrings(bytes);
    if (strings !== null) return { bytes, count: strings.length, nesting: null };
    throw new DataError(
      `${where}: expected strings, each behind its length as 4 bytes, the least first; the lengths found do not lead to the end of the ${bytes.length} bytes`,
    );
  }
  const size = elementBytes[datatype];
  if (bytes.length % size === 0) return { bytes, count: bytes.length / size, nesting: null };
  throw new DataError(`${where}: expected elements of ${size} bytes (${datatype}), found ${bytes.length} bytes`);
}

function decode(text: unknown, where: string): Buffer {
  const plain = typeof text === 'string' ? text.replace(/[\r\n]/g, '') : '';
  const isBase64 = typeof text === 'string' && plain.length % 4 === 0 && base64Pattern.test(plain);
  if (!isBase64) throw new DataError(`${where}, 'b64': expected a string of Base64, found ${shown(text)}`);
  return Buffer.from(plain, 'base64');
}
