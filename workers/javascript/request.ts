import type { DataOf, DataType, ErrorCode, ModelRequest, ParameterValue, Tensor } from './model-api.js';
import type { Entry, Values } from './output-maker.js';
import { type RequestHead, readHead } from './request-head.js';
import type { RunningBatch } from './running-batch.js';

/** What a request is answered with instead of outputs. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Codes that an Error may bring along. */
const CODES: readonly string[] = [
  'UNKNOWN',
  'INTERNAL',
  'NOT_FOUND',
  'INVALID_ARGUMENT',
  'UNAVAILABLE',
  'UNSUPPORTED',
  'ALREADY_EXISTS',
  'CANCELLED',
] satisfies ErrorCode[];

/** One request of a batch that runs, as its model sees it. */
export class BatchRequest implements ModelRequest, Entry {
  readonly index: number;
  readonly rows: number;
  /** Null = it does not fail. */
  failure: Failure | null = null;
  /** Its model has said all of it. */
  isAnswered = false;
  readonly responseParameters: Record<string, string | number | boolean> = {};
  readonly #batch: RunningBatch;
  #head: RequestHead | null = null;

  constructor(batch: RunningBatch, index: number, rows: number) {
    this.#batch = batch;
    this.index = index;
    this.rows = rows;
  }

  get id(): string {
    return this.#said.id;
  }

  get parameters(): ReadonlyMap<string, ParameterValue> {
    return this.#said.parameters;
  }

  get sequenceId(): string | number | bigint {
    return this.#said.sequenceId;
  }

  get sequenceStart(): boolean {
    return this.#said.sequenceStart;
  }

  get sequenceEnd(): boolean {
    return this.#said.sequenceEnd;
  }

  get priority(): number {
    return this.#said.priority;
  }

  get timeoutUs(): number {
    return this.#said.timeoutUs;
  }

  get requestedOutputs(): readonly string[] {
    return this.#said.outputs ?? this.#batch.outputNames;
  }

  input<Type extends DataType = DataType>(name: string): Tensor<Type> | null {
    return this.#batch.inputOf(this, name) as Tensor<Type> | null;
  }

  output<Type extends Exclude<DataType, 'BYTES'>>(
    name: string,
    shape: readonly number[],
    values?: Values,
  ): DataOf[Type] {
    return this.#batch.outputOf(this, name, shape, values) as DataOf[Type];
  }

  fail(error: string | Error, code?: ErrorCode): void {
    this.#batch.checkRuns();
    this.failure = failureOf(error, code);
    this.isAnswered = true;
  }

  setParameter(name: string, value: string | number | boolean): void {
    this.#batch.checkRuns();
    const isGood = typeof value === 'number' ? Number.isFinite(value) : ['string', 'boolean'].includes(typeof value);
    if (isGood) this.responseParameters[name] = value;
    else throw new TypeError(`parameter '${name}': expected a string, a finite number or a boolean, found ${value}`);
  }

  get #said(): RequestHead {
    this.#head ??= readHead(this.#batch.headOf(this));
    return this.#head;
  }
}

export function failureOf(error: unknown, code?: ErrorCode): Failure {
  if (!(error instanceof Error)) return { code: code ?? 'INTERNAL', message: String(error) };
  const { code: own } = error as { code?: unknown };
  const brought = typeof own === 'string' && CODES.includes(own) ? (own as ErrorCode) : 'INTERNAL';
  return { code: code ?? brought, message: error.message || error.name };
}
