import type { BatchOutputs } from '../backends/batch-outputs.js';
import type { Sequel } from '../backends/request.js';
import type { FailureReason } from '../telemetry/statistics.js';
import type { Trace } from '../telemetry/trace/trace.js';
import type { ServerError } from '../types/errors.js';
import { AdmittedRequest } from './admitted-request.js';
import { ModelResponse } from './model-response.js';
import { traceExecution, traceOutputs } from './request-trace.js';
import { readNote } from './response-note.js';

/** One request to a model that answers once: the memory of its inputs goes back when its execution ended, which is its answer unless it runs again. */
export class ModelRequest extends AdmittedRequest {
  #response: ModelResponse | null = null;
  #error: ServerError | null = null;

  override sequelOf(outputs: BatchOutputs, index: number): Sequel {
    return readNote(outputs, index).isAgain ? 'again' : 'over';
  }

  override complete(outputs: BatchOutputs, index: number, firstRow: number): void {
    const response = new ModelResponse(this, outputs, index, firstRow);
    this.times = outputs.batch.times;
    if (response.isAgain) {
      response.release();
      return;
    }
    if (response.error !== null) {
      response.release();
      this.fail(response.error, 'BACKEND');
      return;
    }
    if (this.isTimed || this.plan.head.explain === true) response.explain(this);
    this.#response = response;
    this.close();
    this.model.onCompleted(this, outputs.batch.times);
  }

  override fail(error: ServerError, reason: FailureReason): void {
    this.#error = error;
    this.close();
    this.model.onFailed(this, reason, error);
  }

  override deliver(): void {
    const response = this.#response;
    this.#response = null;
    if (this.trace !== null) this.#record(this.trace, response);
    if (this.cancelled) response?.release();
    else if (this.#error !== null) this.responder.onError(this.#error);
    else this.responder.onResponse(response!);
  }

  /** It has nothing before its only answer. */
  override onTurn(): void {}

  #record(trace: Trace, response: ModelResponse | null): void {
    if (response !== null) traceOutputs(trace, response, this.model.tensors.outputs);
    traceExecution(trace, this, this.times);
  }
}
