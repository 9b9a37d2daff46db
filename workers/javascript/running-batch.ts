import type { InstanceInit } from '../../src/backends/worker-protocol.js';
import type { SealedBatch } from '../batch.js';
import { EntryInputs } from './entry-inputs.js';
import type { Batch, DataOf, DataType, Tensor } from './model-api.js';
import { traceOf } from './module.js';
import { OutputMaker, type Values } from './output-maker.js';
import type { OutputParts } from './output-parts.js';
import { BatchRequest, failureOf } from './request.js';

/** What all batches of an instance share. */
export class BatchTools {
  readonly inputs: EntryInputs;
  readonly outputs: OutputMaker;
  readonly parts: OutputParts;
  /** Tells the server's log of an error in the model's code. */
  readonly onError: (text: string) => void;

  constructor(init: InstanceInit, batch: SealedBatch, parts: OutputParts, onError: (text: string) => void) {
    this.inputs = new EntryInputs(init, batch);
    this.outputs = new OutputMaker(init, parts);
    this.parts = parts;
    this.onError = onError;
  }
}

/** The batch that an instance runs, as its model sees it. */
export class RunningBatch implements Batch {
  readonly rows: number;
  readonly requests: readonly BatchRequest[];
  readonly #tools: BatchTools;
  #isOver = false;

  constructor(tools: BatchTools, { entries, rows, rowCounts }: SealedBatch) {
    this.#tools = tools;
    this.rows = rows;
    this.requests = Array.from({ length: entries }, (_, index) => new BatchRequest(this, index, rowCounts[index]!));
  }

  input<Type extends DataType = DataType>(name: string): Tensor<Type> | null {
    this.checkRuns();
    return this.#tools.inputs.ofAll(name) as Tensor<Type> | null;
  }

  output<Type extends Exclude<DataType, 'BYTES'>>(
    name: string,
    rowShape: readonly number[],
    values?: Values,
  ): DataOf[Type] {
    this.checkRuns();
    return this.#tools.outputs.makeAll(this.requests, name, rowShape, values) as DataOf[Type];
  }

  async each(answer: (request: BatchRequest) => void | Promise<void>): Promise<void> {
    await Promise.all(this.requests.map((request) => this.#answer(request, answer)));
  }

  get outputNames(): readonly string[] {
    return this.#tools.outputs.names;
  }

  inputOf(request: BatchRequest, name: string): Tensor | null {
    this.checkRuns();
    return this.#tools.inputs.of(request.index, name);
  }

  outputOf(request: BatchRequest, name: string, shape: readonly number[], values?: Values): unknown {
    this.checkRuns();
    return this.#tools.outputs.make(request, name, shape, values);
  }

  headOf(request: BatchRequest): string {
    this.checkRuns();
    return this.#tools.inputs.head(request.index);
  }

  /** Its memory is that of others when it is over. */
  checkRuns(): void {
    if (this.#isOver) throw new Error('the request was answered already: execute() has ended');
  }

  /** The model failed outside of `each`: whatever it has not answered fails. */
  failRest(error: unknown): void {
    this.#tools.onError(`execute() failed: ${traceOf(error)}`);
    const failure = failureOf(error);
    for (const request of this.requests) if (!request.isAnswered) request.failure = failure;
  }

  /** Says of each request what is to be said beside its outputs. */
  end(): void {
    for (const request of this.requests) this.#end(request);
    this.#isOver = true;
  }

  async #answer(request: BatchRequest, answer: (request: BatchRequest) => void | Promise<void>): Promise<void> {
    try {
      await answer(request);
      request.isAnswered = true;
    } catch (error) {
      this.#tools.onError(`a request failed: ${traceOf(error)}`);
      // Its model may not have waited for it.
      if (!this.#isOver) request.fail(error as Error);
    }
  }

  #end(request: BatchRequest): void {
    const { parts, outputs } = this.#tools;
    const missing = request.requestedOutputs.find((name) => !parts.has(request.index, outputs.indexOf(name)));
    if (request.failure === null && missing !== undefined) {
      request.failure = { code: 'INTERNAL', message: `execute() made no output '${missing}' for the request` };
    }
    const { failure, responseParameters } = request;
    if (failure !== null) parts.drop(request.index);
    const parameters = Object.keys(responseParameters).length > 0 ? responseParameters : undefined;
    if (failure === null && parameters === undefined) return;
    parts.note(request.index, JSON.stringify({ error: failure ?? undefined, parameters }));
  }
}
