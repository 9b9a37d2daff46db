import type { ServerError } from '../../types/errors.js';
import type { InferHead, SequenceFlags } from '../../types/infer.js';
import type { Shape } from '../../types/tensor.js';
import { checkRequest, type InferPlan } from '../check-request.js';
import type { Responder } from '../infer-response.js';
import type { ModelTensors } from '../model-tensors.js';
import type { SourceReader } from '../request-inputs.js';
import { type EnsembleHost, EnsembleRequest } from './ensemble-request.js';
import { EnsembleResponse } from './ensemble-response.js';

const NO_SEQUENCE: SequenceFlags = { sequenceId: 0, sequenceStart: false, sequenceEnd: false };

/** How many of the requests with one plan are asked as one: the plans of that, each made once. */
export class GroupPlans {
  readonly #model: string;
  readonly #tensors: ModelTensors;
  readonly #plan: InferPlan;
  readonly #known: (InferPlan | undefined)[] = [];

  constructor(model: string, tensors: ModelTensors, plan: InferPlan) {
    this.#model = model;
    this.#tensors = tensors;
    this.#plan = plan;
  }

  of(requests: number): InferPlan {
    this.#known[requests] ??= checkRequest(this.#model, this.#tensors, this.#head(requests));
    return this.#known[requests];
  }

  #head(requests: number): InferHead {
    const { head } = this.#plan;
    return {
      ...head,
      id: '',
      requests,
      inputs: this.#plan.inputs.map(({ head: input, bytes }) => ({
        ...input,
        shape: [input.shape[0]! * requests, ...input.shape.slice(1)],
        source: { kind: 'binary', byteSize: bytes * requests },
      })),
    };
  }
}

/**
 * Requests to one ensemble whose tensors lie one behind the other, on their way through it as one request with the rows of all. Each gets
 * its own rows of the answer, or the error of all.
 */
export class RequestGroup implements Responder, SourceReader {
  readonly #members: readonly EnsembleRequest[];
  /** Answers that were not released. */
  #unread = 0;
  #whole: EnsembleResponse | null = null;

  /** @param host for the request that they are together; counts nothing */
  constructor(host: EnsembleHost, plan: InferPlan, members: readonly EnsembleRequest[]) {
    this.#members = members;
    const first = members[0]!;
    const sources = first.plan.inputs.map((_, nth) => ({
      begin: first.inputBegin(nth),
      bytes: first.inputBytes(nth) * members.length,
    }));
    new EnsembleRequest(host, plan, { kind: 'others', sources, reader: this }, this, NO_SEQUENCE).submit();
  }

  onSourcesRead(): void {
    for (const member of this.#members) member.release();
  }

  onResponse(response: EnsembleResponse): void {
    this.#whole = response;
    this.#unread = this.#members.length;
    for (let nth = 0; nth < this.#members.length; nth++) {
      const member = this.#members[nth]!;
      member.answer(new MemberResponse(member, response, nth * member.rows, this));
    }
  }

  onError(error: ServerError): void {
    for (const member of this.#members) member.fail(error);
  }

  /** One of its answers is not read any more. */
  released(): void {
    if (--this.#unread > 0) return;
    this.#whole!.release();
    this.#whole = null;
  }
}

/** Its rows of the answer to a group. All outputs have rows of a fixed size. */
class MemberResponse extends EnsembleResponse {
  readonly #firstRow: number;
  readonly #group: RequestGroup;

  constructor(request: EnsembleRequest, whole: EnsembleResponse, firstRow: number, group: RequestGroup) {
    super(request, whole.flow, true);
    this.#firstRow = firstRow;
    this.#group = group;
  }

  override outputBegin(nth: number): number {
    return super.outputBegin(nth) + this.#firstRow * this.#rowBytes(nth);
  }

  override outputBytes(nth: number): number {
    return this.rows * this.#rowBytes(nth);
  }

  override outputShape(nth: number): Shape {
    return [this.rows, ...super.outputShape(nth).slice(1)];
  }

  override release(): void {
    this.#group.released();
  }

  #rowBytes(nth: number): number {
    return this.model.tensors.outputs[this.plan.outputs[nth]!.index]!.rowBytes;
  }
}
