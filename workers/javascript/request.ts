import type { SealedBatch } from '../batch.js';
import type { AnswerStream } from './answer-stream.js';
import type { EntryPlace } from './entry-inputs.js';
import type { Answer, DataOf, DataType, ErrorCode, ModelRequest, ParameterValue, Tensor } from './model-api.js';
import type { Values, Written } from './output-maker.js';
import { type RequestHead, readHead } from './request-head.js';

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
  'RESOURCE_EXHAUSTED',
] satisfies ErrorCode[];

/** Who runs a request. */
export interface RequestHost {
  readonly outputNames: readonly string[];
  /** Its requests may run again. */
  readonly isIterative: boolean;
  inputOf(request: BatchRequest, name: string): Tensor | null;
  /** As JSON; '' = it says nothing beside its tensors. */
  headOf(request: BatchRequest): string;
  outputOf(request: BatchRequest, name: string, shape: readonly number[], values?: Values): Written;
  /** Of its answers; null = it is answered once. */
  streamOf(request: BatchRequest): AnswerStream | null;
}

/** One request of a batch, as its model sees it. */
export class BatchRequest implements ModelRequest, EntryPlace {
  /** Its name in the channel (backends/channel-protocol.ts). */
  readonly key: number;
  readonly index: number;
  readonly slot: number;
  readonly firstRow: number;
  readonly rows: number;
  /** Null = it does not fail. */
  failure: Failure | null = null;
  /** Its model has said all of it. */
  isAnswered = false;
  /** Its memory is that of others. */
  isOver = false;
  isCancelled = false;
  /** It runs again, where it is answered once and does not fail. */
  isAgain = false;
  readonly responseParameters: Record<string, string | number | boolean> = {};
  readonly #host: RequestHost;
  readonly #stream: AnswerStream | null;
  #abort: AbortController | null = null;
  #head: RequestHead | null = null;

  constructor(host: RequestHost, firstKey: number, { slots, firstRows, rowCounts }: SealedBatch, index: number) {
    this.#host = host;
    this.key = firstKey + index;
    this.index = index;
    this.slot = slots[index]!;
    this.firstRow = firstRows[index]!;
    this.rows = rowCounts[index]!;
    this.#stream = host.streamOf(this);
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
    return this.#said.outputs ?? this.#host.outputNames;
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.isCancelled) this.#abort.abort();
    return this.#abort.signal;
  }

  input<Type extends DataType = DataType>(name: string): Tensor<Type> | null {
    this.#checkLives();
    return this.#host.inputOf(this, name) as Tensor<Type> | null;
  }

  output<Type extends Exclude<DataType, 'BYTES'>>(
    name: string,
    shape: readonly number[],
    values?: Values,
  ): DataOf[Type] {
    this.#checkLives();
    return this.#host.outputOf(this, name, shape, values) as DataOf[Type];
  }

  async respond(answer: Answer): Promise<boolean> {
    return this.#answers('respond').respond(answer);
  }

  async end(): Promise<void> {
    await this.#answers('end').end(null);
  }

  reschedule(): void {
    if (!this.#host.isIterative) {
      throw new Error('reschedule() is for models with sequence_batching { iterative_sequence: true }');
    }
    this.#checkLives();
    if (this.#stream !== null) this.#stream.again();
    this.isAgain = true;
    this.isAnswered = true;
  }

  fail(error: string | Error, code?: ErrorCode): void {
    const failure = failureOf(error, code);
    if (this.#stream !== null) {
      void this.#stream.end(failure);
    } else {
      this.#checkLives();
      this.failure = failure;
    }
    this.isAnswered = true;
  }

  setParameter(name: string, value: string | number | boolean): void {
    this.#checkLives();
    if (this.#stream !== null) throw new Error('the model is decoupled: give parameters to respond()');
    const isGood = typeof value === 'number' ? Number.isFinite(value) : ['string', 'boolean'].includes(typeof value);
    if (isGood) this.responseParameters[name] = value;
    else throw new TypeError(`parameter '${name}': expected a string, a finite number or a boolean, found ${value}`);
  }

  /** Nobody waits for its answer any more. */
  onCancelled(): void {
    this.isCancelled = true;
    this.#abort?.abort();
  }

  /** Its batch is over. */
  executed(): void {
    if (this.#stream === null) this.isOver = true;
    // What it says is read while its memory is there.
    else this.#stream.executed();
  }

  get #said(): RequestHead {
    if (this.#head === null) {
      this.#checkLives();
      this.#head = readHead(this.#host.headOf(this));
    }
    return this.#head;
  }

  #answers(method: string): AnswerStream {
    if (this.#stream !== null) return this.#stream;
    throw new Error(`${method}() is for models with model_transaction_policy { decoupled: true }: use output()`);
  }

  #checkLives(): void {
    if (this.isOver || this.#stream?.isEnded)
      throw new Error('the request was answered already: nothing of it is left');
  }
}

export function failureOf(error: unknown, code?: ErrorCode): Failure {
  if (!(error instanceof Error)) return { code: code ?? 'INTERNAL', message: String(error) };
  const { code: own } = error as { code?: unknown };
  const brought = typeof own === 'string' && CODES.includes(own) ? (own as ErrorCode) : 'INTERNAL';
  return { code: code ?? brought, message: error.message || error.name };
}
