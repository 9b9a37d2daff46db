import type { JavaScriptSettings } from '../../src/backends/javascript-protocol.js';
import type { InstanceInit } from '../../src/backends/worker-protocol.js';
import { elementCount } from '../../src/types/tensor.js';
import type { SealedBatch } from '../batch.js';
import type { AnswerChannel } from './answer-channel.js';
import { AnswerStream, type StreamTools } from './answer-stream.js';
import { EntryInputs } from './entry-inputs.js';
import type { Batch, BytesValue, DataOf, DataType, Tensor } from './model-api.js';
import { traceOf } from './module.js';
import { OutputMaker, type Values, type Written } from './output-maker.js';
import type { OutputParts } from './output-parts.js';
import { BatchRequest, type RequestHost } from './request.js';
import { bytesOfValues } from './tensors.js';

/** What all batches of an instance share. */
export class BatchTools {
  readonly inputs: EntryInputs;
  readonly maker: OutputMaker;
  readonly parts: OutputParts;
  readonly maxEntries: number;
  readonly isIterative: boolean;
  /** Null = requests are answered once. */
  readonly streams: StreamTools | null;
  /** Tells the server's log of an error in the model's code. */
  readonly onError: (text: string) => void;

  constructor(
    init: InstanceInit<JavaScriptSettings>,
    batch: SealedBatch,
    parts: OutputParts,
    channel: AnswerChannel | null,
    onError: (text: string) => void,
  ) {
    this.inputs = new EntryInputs(init, batch);
    this.maker = new OutputMaker(init);
    this.parts = parts;
    this.maxEntries = init.maxEntries;
    this.isIterative = init.settings.isIterative;
    const arena = new Uint8Array(init.arena);
    this.streams = channel === null ? null : { channel, maker: this.maker, arena, table: new Float64Array(init.arena) };
    this.onError = onError;
  }
}

/** The batch that an instance runs, as its model sees it. */
export class RunningBatch implements Batch, RequestHost {
  readonly rows: number;
  readonly requests: readonly BatchRequest[];
  readonly #tools: BatchTools;
  #isOver = false;

  /** @param sequence the number of the batch in this life of the worker */
  constructor(tools: BatchTools, batch: SealedBatch, sequence: number) {
    this.#tools = tools;
    this.rows = batch.rows;
    const firstKey = sequence * tools.maxEntries;
    this.requests = Array.from({ length: batch.entries }, (_, index) => new BatchRequest(this, firstKey, batch, index));
  }

  input<Type extends DataType = DataType>(name: string): Tensor<Type> | null {
    this.#checkRuns();
    return this.#tools.inputs.ofAll(name) as Tensor<Type> | null;
  }

  output<Type extends Exclude<DataType, 'BYTES'>>(
    name: string,
    rowShape: readonly number[],
    values?: Values,
  ): DataOf[Type] {
    this.#checkRuns();
    this.#checkOnce();
    return this.#outputOfAll(name, rowShape, values) as DataOf[Type];
  }

  async each(answer: (request: BatchRequest) => void | Promise<void>): Promise<void> {
    await Promise.all(this.requests.map((request) => this.#answer(request, answer)));
  }

  get isIterative(): boolean {
    return this.#tools.isIterative;
  }

  get outputNames(): readonly string[] {
    return this.#tools.maker.names;
  }

  inputOf(request: BatchRequest, name: string): Tensor | null {
    return this.#tools.inputs.of(request, name);
  }

  headOf(request: BatchRequest): string {
    return this.#tools.inputs.head(request);
  }

  outputOf(request: BatchRequest, name: string, shape: readonly number[], values?: Values): Written {
    this.#checkOnce();
    const { maker, parts } = this.#tools;
    const output = maker.check(request.rows, name, shape, values);
    const region = parts.take(output.bytes);
    parts.set(request.index, output.index, { region, at: 0, bytes: output.bytes, dims: output.dims });
    return maker.write(output, region.bytes);
  }

  streamOf(request: BatchRequest): AnswerStream | null {
    const { streams } = this.#tools;
    return streams === null ? null : new AnswerStream(streams, request);
  }

  /** The model failed outside of `each`: whatever it has not answered fails. */
  failRest(error: unknown): void {
    this.#tools.onError(`execute() failed: ${traceOf(error)}`);
    for (const request of this.requests) if (!request.isAnswered) request.fail(error as Error);
  }

  /** Says of each request what is to be said beside its outputs. */
  end(): void {
    for (const request of this.requests) {
      if (this.#tools.streams === null) this.#endOnce(request);
      request.executed();
    }
    this.#isOver = true;
  }

  /** Its rows had to be copied together. */
  get isGathered(): boolean {
    return this.#tools.inputs.hasGathered;
  }

  async #answer(request: BatchRequest, answer: (request: BatchRequest) => void | Promise<void>): Promise<void> {
    try {
      await answer(request);
      request.isAnswered = true;
    } catch (error) {
      this.#tools.onError(`a request failed: ${traceOf(error)}`);
      // Its model may not have waited for it.
      if (!request.isOver) request.fail(error as Error);
    }
  }

  /** One region that each request has a piece of. */
  #outputOfAll(name: string, rowShape: readonly number[], values?: Values): Written {
    const { maker, parts } = this.#tools;
    if (!maker.batching) return this.outputOf(this.requests[0]!, name, rowShape, values);
    const output = maker.check(this.rows, name, [this.rows, ...rowShape], values);
    const region = parts.take(output.bytes);
    const perRow = elementCount(rowShape);
    let at = 0;
    let row = 0;
    for (const { index, rows } of this.requests) {
      const texts = values as readonly BytesValue[];
      const bytes =
        output.layout.datatype === 'BYTES'
          ? bytesOfValues(texts.slice(row * perRow, (row + rows) * perRow))
          : (output.bytes / this.rows) * rows;
      parts.set(index, output.index, { region, at, bytes, dims: [rows, ...rowShape] });
      at += bytes;
      row += rows;
    }
    return maker.write(output, region.bytes);
  }

  #endOnce(request: BatchRequest): void {
    const { parts, maker } = this.#tools;
    if (request.isAgain && request.failure === null) {
      parts.drop(request.index);
      parts.note(request.index, JSON.stringify({ reschedule: true }));
      return;
    }
    const missing = request.requestedOutputs.find((name) => !parts.has(request.index, maker.indexOf(name)));
    if (request.failure === null && missing !== undefined) {
      request.failure = { code: 'INTERNAL', message: `execute() made no output '${missing}' for the request` };
    }
    const { failure, responseParameters } = request;
    if (failure !== null) parts.drop(request.index);
    const parameters = Object.keys(responseParameters).length > 0 ? responseParameters : undefined;
    if (failure === null && parameters === undefined) return;
    parts.note(request.index, JSON.stringify({ error: failure ?? undefined, parameters }));
  }

  #checkOnce(): void {
    if (this.#tools.streams !== null) throw new Error('the model is decoupled: answer each request with respond()');
  }

  #checkRuns(): void {
    if (this.#isOver) throw new Error('the batch was answered already: execute() has ended');
  }
}
