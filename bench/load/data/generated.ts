import { type DataType, elementBytes } from '../../../src/types/datatype.js';
import { elementCount, type Shape, shapeText } from '../../../src/types/tensor.js';
import type { DataOptions } from '../options.js';
import { Random } from '../random.js';
import { DataError } from './data-error.js';
import type { Step, TensorData } from './data-set.js';
import { packElements, packStrings } from './elements.js';
import { isOpen, type RowForm, type RowTensor, shapeFlag } from './input-shapes.js';

/** Integers are from 0 up to this: any integer type holds them, and they are positions in most tables that a model looks up. */
const MOST_INTEGER = 127;

/**
 * Floating-point numbers are multiples of one of so many, below 1: the type holds them exactly, so that none is rounded up to 1 and none is
 * too small to be fast.
 */
const fractions: { readonly [datatype in DataType]?: number } = {
  FP16: 2 ** 10,
  BF16: 2 ** 7,
  FP32: 2 ** 24,
  FP64: 2 ** 24,
};

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** Of all inputs of a request: a message of gRPC holds no more, and no server takes more unless it is told to. */
const MOST_BYTES = 2 ** 31 - 1;
/** Elements that are held one by one at a time. */
const PIECE = 2 ** 16;

/**
 * Random or zero data: one step. Each row of the batch has its own.
 * @param batch the batch dimension, `[]` = the model has none
 * Throws a DataError for an input of any size that has no `--shape` (an optional one is left out then), and for more than a request can hold.
 */
export function generateStep(form: RowForm, batch: Shape, options: DataOptions): Step {
  const random = new Random(options.seed);
  const unsized = form.inputs.find(({ shape, isOptional }) => isOpen(shape) && !isOptional);
  if (unsized !== undefined) throw withoutSize(unsized);
  const sized = form.inputs.filter(({ shape }) => !isOpen(shape));
  const bytes = sized.reduce((sum, input) => sum + byteCount(input, batch, options), 0);
  if (bytes > MOST_BYTES) {
    throw new DataError(
      `the inputs of a request would have ${bytes} bytes, expected ${MOST_BYTES} at most: ` +
        'a smaller --shape, --string-length or -b makes it smaller',
    );
  }
  const inputs = sized.map((input) => generate(input, batch, options, random));
  return { inputs, expected: null, parameters: {} };
}

function byteCount({ datatype, shape }: RowTensor, batch: Shape, options: DataOptions): number {
  const count = elementCount([...batch, ...shape]);
  if (datatype !== 'BYTES') return count * elementBytes[datatype];
  const random = options.source === 'zero' ? 0 : options.stringLength;
  return count * (4 + (options.stringData === null ? random : Buffer.byteLength(options.stringData)));
}

function withoutSize(input: RowTensor): DataError {
  return new DataError(
    `input '${input.name}' has the shape ${shapeText(input.shape)}: say how large it is to be with ${shapeFlag(input)}`,
  );
}

function generate(input: RowTensor, batch: Shape, options: DataOptions, random: Random): TensorData {
  const { name, datatype, shape: row } = input;
  const shape = [...batch, ...row];
  const count = elementCount(shape);
  const isZero = options.source === 'zero';
  if (datatype === 'BYTES') {
    const own = isZero ? () => '' : () => randomString(options.stringLength, random);
    const pack = (length: number) => packStrings(Array.from({ length }, () => options.stringData ?? own()));
    return { name, datatype, shape, bytes: inPieces(count, pack) };
  }
  const pack = (length: number) =>
    packElements(
      datatype,
      Array.from({ length }, () => (isZero ? 0 : draw(datatype, random))),
    );
  return { name, datatype, shape, bytes: inPieces(count, pack) };
}

function inPieces(count: number, pack: (length: number) => Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let rest = count; rest > 0; rest -= PIECE) pieces.push(pack(Math.min(rest, PIECE)));
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}

function draw(datatype: DataType, random: Random): number {
  if (datatype === 'BOOL') return random.between(0, 2);
  const steps = fractions[datatype];
  return steps === undefined ? random.between(0, MOST_INTEGER + 1) : random.between(0, steps) / steps;
}

function randomString(length: number, random: Random): Buffer {
  const text = Buffer.alloc(length);
  for (let nth = 0; nth < length; nth++) text[nth] = LETTERS.charCodeAt(random.between(0, LETTERS.length));
  return text;
}
