import type { AcceptedRequest, InferResponse, Responder } from '../core/infer-response.js';
import { admitWithRegions } from '../core/regions/region-request.js';
import { asServerError, type ServerError } from '../types/errors.js';
import type { CallTrace } from './call-trace.js';
import { checkBlocks, type V1Plan } from './v1-plan.js';
import { NO_PARTICULARS, SEQUENCE_END, SEQUENCE_START, type V1Particulars } from './v1-request.js';
import type { V1Server } from './v1-server.js';

/** One inference of V1, whatever it comes over. `settled` is called once when there is a response or an error, unless it is cancelled before. */
export abstract class V1Task implements Responder {
  protected plan: V1Plan | null = null;
  protected particulars: V1Particulars = NO_PARTICULARS;
  /** Until it is answered. */
  protected request: AcceptedRequest | null = null;
  /** Until it is sent. */
  protected response: InferResponse | null = null;
  protected error: ServerError | null = null;
  /** Null = nothing is traced. */
  protected callTrace: CallTrace | null = null;
  protected readonly v1: V1Server;

  constructor(v1: V1Server) {
    this.v1 = v1;
  }

  protected abstract settled(): void;

  onResponse(response: InferResponse): void {
    this.request = null;
    this.response = response;
    this.settled();
  }

  onError(error: ServerError): void {
    this.request = null;
    this.error = error;
    this.settled();
  }

  /** Takes memory for its tensors. Throws what `admitWithRegions` throws, NOT_FOUND for unknown regions. */
  protected admit(plan: V1Plan, particulars: V1Particulars): AcceptedRequest {
    this.plan = plan;
    this.particulars = particulars;
    const { regions } = this.v1.server;
    checkBlocks({ regions }, plan);
    const { correlationId, flags } = particulars;
    const sequence = {
      sequenceId: correlationId,
      sequenceStart: (flags & SEQUENCE_START) !== 0,
      sequenceEnd: (flags & SEQUENCE_END) !== 0,
    };
    const own = planWithId(plan, particulars);
    this.request = admitWithRegions(regions, plan.model, own, plan.sizes, this, sequence);
    return this.request;
  }

  /** Its tensors are in place. Throws what only they tell. */
  protected submit(): void {
    const request = this.request!;
    const { id } = this.particulars;
    const text = id === 0 ? '' : String(id);
    this.callTrace?.begin(request, text);
    request.requestId = text;
    try {
      request.submit();
    } catch (error) {
      // It has given everything back.
      this.request = null;
      throw error;
    }
  }

  /** It cannot be queued, or answered. */
  protected refuse(error: unknown): void {
    this.cancel();
    this.error = asServerError(error);
    this.settled();
  }

  /** Whatever comes of it now is nobody's. */
  protected cancel(): void {
    const { request } = this;
    this.request = null;
    request?.cancel();
    this.releaseResponse();
  }

  protected releaseResponse(): void {
    const { response } = this;
    this.response = null;
    response?.release();
  }

  /** For the next request. */
  protected clear(): void {
    this.releaseResponse();
    this.plan = null;
    this.particulars = NO_PARTICULARS;
    this.error = null;
    this.callTrace?.end();
    this.callTrace = null;
  }
}

function planWithId({ plan }: V1Plan, { id }: V1Particulars): V1Plan['plan'] {
  if (!plan.isPerId) return plan;
  const text = id === 0 ? '' : String(id);
  return text === plan.head.id ? plan : { ...plan, head: { ...plan.head, id: text } };
}
