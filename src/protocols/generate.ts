import { EXPLAIN } from '../core/explanation.js';
import { type DataType, elementBytes } from '../types/datatype.js';
import { invalid, type ServerError } from '../types/errors.js';
import type { InferHead, InputHead, ParameterValue } from '../types/infer.js';
import type { Shape } from '../types/tensor.js';
import { JsonScanner, textBegin } from './json-scanner.js';
import { jsonTensorBytes } from './json-tensor.js';
import { asBoolean, asString, customParameter, NO_PARAMETERS } from './v2-json-values.js';

/** What the mapping needs of the model. */
export interface GenerateModel {
  readonly inputs: readonly GenerateInput[];
  /** 0 = shapes have no batch dimension. */
  readonly maxBatchSize: number;
}

interface GenerateInput {
  readonly name: string;
  readonly datatype: DataType;
  /** Without the batch dimension; -1 = any size. */
  readonly dims: Shape;
}

export interface GenerateRequest {
  readonly head: InferHead;
  /** Bytes of each input of the head. */
  readonly sizes: readonly number[];
}

const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const QUOTE = 0x22;

/** Its members are taken as those of the request are. */
const NESTED = 'parameters';

/**
 * Makes an inference request of a `generate` body, bytes `begin` to `end` (fact sheet 1.12): members named as an input are tensors, all
 * others are parameters, of which `conch_explain` alone means something here. Throws INVALID_ARGUMENT with Triton's texts. @param maxInputBytes `--http-max-input-size`, for all tensors together
 */
export function parseGenerate(
  body: Buffer,
  begin: number,
  end: number,
  model: GenerateModel,
  maxInputBytes: number,
): GenerateRequest {
  if (model.inputs.some(({ name }) => name === NESTED)) {
    throw invalid(`Keyword '${NESTED}' for nested schema also given as input tensor name`);
  }
  const scanner = new JsonScanner(body, textBegin(body, begin), end);
  const reader = new GenerateReader(scanner, model, maxInputBytes);
  reader.read();
  if (scanner.peek() !== -1) throw scanner.error('The document root must not be followed by other values.');
  scanner.checkUtf8();
  return reader.request();
}

class GenerateReader {
  readonly #scanner: JsonScanner;
  readonly #model: GenerateModel;
  readonly #maxInputBytes: number;
  readonly #inputs: InputHead[] = [];
  readonly #sizes: number[] = [];
  readonly #parameters = new Map<string, ParameterValue>();
  #id = '';
  #explain: boolean | null = null;
  #hasNested = false;
  /** Of all tensors so far. */
  #bytes = 0;

  constructor(scanner: JsonScanner, model: GenerateModel, maxInputBytes: number) {
    this.#scanner = scanner;
    this.#model = model;
    this.#maxInputBytes = maxInputBytes;
  }

  read(): void {
    const scanner = this.#scanner;
    if (scanner.peek() === -1) throw scanner.error('The document is empty.');
    if (!scanner.take(OPEN_OBJECT)) {
      throw invalid('expected one JSON object as request: attempt to get members for non-object');
    }
    for (let index = 0; scanner.next(index, CLOSE_OBJECT); index++) {
      const name = scanner.key();
      if (name === NESTED) this.#readNested();
      else this.#readMember(name, true);
    }
  }

  request(): GenerateRequest {
    const head = {
      ...NO_PARAMETERS,
      id: this.#id,
      inputs: this.#inputs,
      outputs: [],
      parameters: this.#parameters,
      ...(this.#explain === true && { explain: true }),
    };
    return { head, sizes: this.#sizes };
  }

  #readNested(): void {
    const scanner = this.#scanner;
    if (this.#hasNested) {
      scanner.value();
      return;
    }
    this.#hasNested = true;
    if (!scanner.take(OPEN_OBJECT)) {
      throw invalid(`Expected JSON object for keyword: '${NESTED}': attempt to access JSON non-object as object`);
    }
    for (let index = 0; scanner.next(index, CLOSE_OBJECT); index++) this.#readMember(scanner.key(), false);
  }

  #readMember(name: string, isOuter: boolean): void {
    const input = this.#model.inputs.find((candidate) => candidate.name === name);
    if (input !== undefined) {
      this.#readTensor(input);
      return;
    }
    const value = this.#scanner.value();
    // Of members given twice the first counts.
    if (name === EXPLAIN) {
      this.#explain ??= asBoolean(value, name);
      return;
    }
    if (this.#parameters.has(name)) return;
    if (name === 'id' && isOuter) this.#id = asString(value, name);
    this.#parameters.set(name, customParameter(value, name, isOuter ? '' : `Converting keyword: '${NESTED}': `));
  }

  #readTensor({ name, datatype, dims }: GenerateInput): void {
    const scanner = this.#scanner;
    if (this.#inputs.some((input) => input.name === name)) {
      throw invalid(`input '${name}' already exists in request`);
    }
    scanner.peek();
    const start = scanner.at;
    const elements = skipElements(scanner, name);
    const source = { kind: 'json', start, end: scanner.at } as const;
    const shape = tensorShape(name, this.#model.maxBatchSize > 0 ? [-1, ...dims] : dims, elements);
    const isText = datatype === 'BYTES';
    const bytes = isText ? jsonTensorBytes(scanner.bytes, source, name) : elements * elementBytes[datatype];
    this.#count(name, bytes);
    this.#inputs.push({ name, datatype, shape, source });
    this.#sizes.push(bytes);
  }

  #count(name: string, bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes <= this.#maxInputBytes) return;
    throw invalid(
      `request size of ${this.#bytes} bytes with input '${name}' of size ${bytes} bytes exceeds the maximum allowed input size of ` +
        `${this.#maxInputBytes}. Use --http-max-input-size to increase the limit.`,
    );
  }
}

/** Skips a value or an array of values; the result is their number. What they are is for whoever reads them. */
function skipElements(scanner: JsonScanner, name: string): number {
  if (!scanner.take(OPEN_ARRAY)) {
    skipElement(scanner);
    return 1;
  }
  let count = 0;
  for (; scanner.next(count, CLOSE_ARRAY); count++) {
    if (scanner.peek() === OPEN_ARRAY) throw cannotConvert(name);
    skipElement(scanner);
  }
  return count;
}

function skipElement(scanner: JsonScanner): void {
  if (scanner.peek() === QUOTE) scanner.skipString();
  else scanner.value();
}

/**
 * Fixed dimensions stay, the innermost variable one takes all elements that remain, any other variable one is 1 (fact sheet 1.12).
 * @param dims with the batch dimension, where there is one
 */
export function tensorShape(name: string, dims: Shape, elements: number): Shape {
  const fixed = dims.reduce((product, dim) => (dim === -1 ? product : product * dim), 1);
  const rest = fixed === 0 ? 1 : elements / fixed;
  if (!Number.isInteger(rest) || (fixed === 0 && elements > 0)) throw cannotConvert(name);
  const innermost = dims.lastIndexOf(-1);
  if (innermost < 0 && rest !== 1) throw cannotConvert(name);
  return dims.map((dim, index) => (dim !== -1 ? dim : index === innermost ? rest : 1));
}

function cannotConvert(name: string): ServerError {
  return invalid(`The schema can not convert input '${name}' to tensor with proper shape`);
}
