import type { AnswerPlace, CallEvent, CallHead, CallReply, OutputPlace } from '../backends/call-protocol.js';
import type { CallSession } from '../backends/instance.js';
import type { InferRequest } from '../backends/request.js';
import type { Trace } from '../telemetry/trace/trace.js';
import { asServerError, invalid, type ServerError } from '../types/errors.js';
import type { InferHead, ParameterValue } from '../types/infer.js';
import { AdmittedRequest } from './admitted-request.js';
import { connect } from './call-graph.js';
import { checkRequest } from './check-request.js';
import type { AcceptedRequest, InferResponse, Responder } from './infer-response.js';
import type { ServedModel } from './served-model.js';

/** Finds a model as clients do: '' = its latest version. Throws a ServerError. */
export type FindModel = (name: string, version: string) => ServedModel;

const NO_PARAMETERS: ReadonlyMap<string, ParameterValue> = new Map();

/** What one life of an instance asks of other models. */
export class ModelCalls implements CallSession {
  readonly #caller: ServedModel;
  readonly #find: FindModel;
  readonly #post: (replies: readonly CallReply[]) => void;
  readonly #open = new Map<number, ModelCall>();
  #replies: CallReply[] = [];
  #isClosed = false;

  constructor(caller: ServedModel, find: FindModel, post: (replies: readonly CallReply[]) => void) {
    this.#caller = caller;
    this.#find = find;
    this.#post = post;
  }

  take(event: CallEvent, caller: InferRequest | null): void {
    if (this.#isClosed) return;
    if (event.kind === 'call') {
      this.#begin(event.id, event.head, caller);
      return;
    }
    const call = this.#open.get(event.id);
    if (event.kind === 'submit') call?.submit();
    else if (event.kind === 'release') call?.release(event.answer);
    else call?.close();
  }

  close(): void {
    this.#isClosed = true;
    for (const call of [...this.#open.values()]) call.close();
  }

  /** For its calls alone, like `forget`. */
  tell(reply: CallReply): void {
    if (this.#replies.length === 0) queueMicrotask(this.#flush);
    this.#replies.push(reply);
  }

  forget(id: number): void {
    this.#open.delete(id);
  }

  #begin(id: number, head: CallHead, caller: InferRequest | null): void {
    const call = new ModelCall(id, this);
    try {
      const request = this.#admit(head, call);
      request.requestId = head.requestId;
      request.trace = childTrace(caller, request, head);
      call.begin(request);
      this.#open.set(id, call);
    } catch (error) {
      call.onError(asServerError(error));
    }
  }

  #admit(head: CallHead, call: ModelCall): AcceptedRequest {
    const model = this.#find(head.model, head.version);
    if (model.isDecoupled && !head.isStream) {
      throw invalid(`model '${model.name}' answers a request any number of times: call it with inferStream()`);
    }
    const plan = checkRequest(model.name, model.tensors, inferHead(head));
    connect(this.#caller, model);
    const sizes = head.inputs.map(({ byteSize }) => byteSize);
    return model.admit(plan, sizes, call);
  }

  readonly #flush = (): void => {
    const replies = this.#replies;
    this.#replies = [];
    if (!this.#isClosed) this.#post(replies);
  };
}

/** One call, until its last answer is there and every answer is released. */
class ModelCall implements Responder {
  readonly #id: number;
  readonly #calls: ModelCalls;
  readonly #held = new Map<number, InferResponse>();
  #request: AcceptedRequest | null = null;
  #answers = 0;
  /** Its model has said its last. */
  #isOver = false;

  constructor(id: number, calls: ModelCalls) {
    this.#id = id;
    this.#calls = calls;
  }

  begin(request: AcceptedRequest): void {
    this.#request = request;
    const begins = request.plan.inputs.map((_, nth) => request.inputBegin(nth));
    this.#calls.tell({ kind: 'place', id: this.#id, begins });
  }

  submit(): void {
    try {
      this.#request!.submit();
    } catch (error) {
      this.onError(asServerError(error));
    }
  }

  onResponse(response: InferResponse): void {
    const answer = answerOf(response, this.#answers++);
    if (response.isEmpty) response.release();
    else this.#held.set(answer.number, response);
    this.#isOver = response.isFinal;
    this.#calls.tell({ kind: 'answer', id: this.#id, answer });
    this.#forgetIfDone();
  }

  onError({ code, message }: ServerError): void {
    this.#isOver = true;
    this.#calls.tell({ kind: 'error', id: this.#id, code, message });
    this.#forgetIfDone();
  }

  release(answer: number): void {
    const response = this.#held.get(answer);
    this.#held.delete(answer);
    response?.release();
    this.#forgetIfDone();
  }

  /** Nobody waits for it, and nobody reads what came. */
  close(): void {
    const isCancelled = !this.#isOver;
    this.#isOver = true;
    for (const response of this.#held.values()) response.release();
    this.#held.clear();
    this.#calls.forget(this.#id);
    if (isCancelled) this.#request!.cancel();
  }

  #forgetIfDone(): void {
    if (this.#isOver && this.#held.size === 0) this.#calls.forget(this.#id);
  }
}

/** The trace of a call is part of that of the request on whose behalf it is; null = that is not traced, or not any more. */
function childTrace(caller: InferRequest | null, { model }: AcceptedRequest, { requestId }: CallHead): Trace | null {
  const trace = caller instanceof AdmittedRequest ? caller.trace : null;
  return trace === null || trace.isWritten ? null : trace.child(model.name, model.version, requestId);
}

function answerOf(response: InferResponse, number: number): AnswerPlace {
  const { model, plan, isFinal, isEmpty } = response;
  const outputs = plan.outputs.flatMap((_, nth) => (response.hasOutput(nth) ? [placeOf(response, nth)] : []));
  const parameters = response.parameters ?? NO_PARAMETERS;
  return { number, isFinal, isEmpty, model: model.name, version: model.version, parameters, outputs };
}

function placeOf(response: InferResponse, nth: number): OutputPlace {
  const { name, datatype, shape } = response.output(nth);
  return { name, datatype, shape, begin: response.outputBegin(nth), bytes: response.outputBytes(nth) };
}

function inferHead({ requestId, inputs, outputs, ...more }: CallHead): InferHead {
  return {
    id: requestId,
    priority: more.priority,
    timeoutUs: more.timeoutUs,
    sequenceId: more.sequenceId,
    sequenceStart: more.sequenceStart,
    sequenceEnd: more.sequenceEnd,
    inputs: inputs.map(({ byteSize, ...input }) => ({ ...input, source: { kind: 'binary', byteSize } })),
    outputs: outputs.map((name) => ({ name, binary: true, classCount: 0, shared: null })),
    binaryOutput: true,
    parameters: more.parameters,
  };
}
