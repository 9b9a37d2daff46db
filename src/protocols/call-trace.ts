import { monotonicUs } from '../base/clock.js';
import type { AcceptedRequest } from '../core/infer-response.js';
import type { ParentContext } from '../telemetry/trace/parent-context.js';
import type { Activity, Trace } from '../telemetry/trace/trace.js';
import type { Tracing } from '../telemetry/trace/tracing.js';

/** Triton's names of what a front end does. */
interface FrontEnd {
  readonly received: Activity;
  readonly complete: Activity;
  readonly sending: Activity;
  readonly sent: Activity;
}

/** Also of WebSockets. */
const HTTP: FrontEnd = {
  received: 'HTTP_RECV_START',
  complete: 'HTTP_RECV_END',
  sending: 'HTTP_SEND_START',
  sent: 'HTTP_SEND_END',
};

const GRPC: FrontEnd = {
  received: 'GRPC_WAITREAD_START',
  complete: 'GRPC_WAITREAD_END',
  sending: 'GRPC_SEND_START',
  sent: 'GRPC_SEND_END',
};

/**
 * While tracing is on, as soon as the head of a request is here; null = it is not traced, and nothing is written down.
 * @param exchange whose headers can be read
 */
export function httpTrace(
  tracing: Tracing,
  exchange: { header(name: string): string },
  model: string,
): CallTrace | null {
  return decided(tracing, HTTP, tracing.readsParents ? httpContext(exchange) : null, model);
}

/**
 * As `httpTrace`. Which model a message is for is known only when it is read: that has to be waited for where models count for themselves.
 * @param context from `grpcContext`
 */
export function grpcTrace(tracing: Tracing, context: ParentContext | null): CallTrace | null {
  if (tracing.countsByModel) return new CallTrace(tracing, GRPC, context, 'open', null);
  return decided(tracing, GRPC, context, null);
}

/** @param call whose metadata can be read */
export function grpcContext(tracing: Tracing, call: { metadata(name: string): string }): ParentContext | null {
  if (!tracing.readsParents) return null;
  const traceparent = call.metadata('traceparent');
  return traceparent === '' ? null : { traceparent, tracestate: call.metadata('tracestate') };
}

/** As `httpTrace`, as soon as the model of a message is known: messages have no headers. */
export function socketTrace(tracing: Tracing, model: string): CallTrace | null {
  return decided(tracing, HTTP, null, model);
}

/** @param scope who counts the request: the model, or null = the server */
function decided(
  tracing: Tracing,
  frontEnd: FrontEnd,
  context: ParentContext | null,
  scope: string | null,
): CallTrace | null {
  return tracing.take(scope, context) ? new CallTrace(tracing, frontEnd, context, 'taken', scope) : null;
}

/** open: whether it is traced is to be decided. taken: it is, and there is no trace yet. decided: there is one, or there will be none. */
type CallTraceState = 'open' | 'taken' | 'decided';

/** What a front end writes down of one request that is traced, or may be: made as soon as the request begins to come. */
export class CallTrace {
  readonly #tracing: Tracing;
  readonly #frontEnd: FrontEnd;
  readonly #receivedNs = nowNs();
  readonly #context: ParentContext | null;
  #state: CallTraceState;
  /** Who has counted it where it is taken: a model, or null = the server. */
  readonly #scope: string | null;
  #trace: Trace | null = null;
  /** Its model stamps each of its answers itself. */
  #isDecoupled = false;

  constructor(
    tracing: Tracing,
    frontEnd: FrontEnd,
    context: ParentContext | null,
    state: 'open' | 'taken',
    scope: string | null,
  ) {
    this.#tracing = tracing;
    this.#frontEnd = frontEnd;
    this.#context = context;
    this.#state = state;
    this.#scope = scope;
  }

  /** The request is complete and about to be submitted. @param id '' = none */
  begin(request: AcceptedRequest, id: string): void {
    const { name, version, isDecoupled } = request.model;
    this.#isDecoupled = isDecoupled;
    const isTaken = this.#state === 'taken' || this.#tracing.take(name, this.#context);
    this.#state = 'decided';
    if (!isTaken) return;
    const trace = this.#tracing.traceOf(name, version, id, this.#context);
    this.#trace = trace;
    trace.stamp(this.#frontEnd.received, this.#receivedNs);
    trace.stamp(this.#frontEnd.complete, nowNs());
    request.trace = trace.hold();
  }

  /** An answer, or the error in its place, is about to be sent. */
  sending(): void {
    const trace = this.#trace;
    if (trace === null) return;
    const now = nowNs();
    if (!this.#isDecoupled) trace.stamp('INFER_RESPONSE_COMPLETE', now);
    trace.stamp(this.#frontEnd.sending, now);
  }

  /** The last byte of the last one is sent, or nobody wants it any more. */
  end(): void {
    const trace = this.#trace;
    this.#trace = null;
    // The request was refused before it got anywhere.
    if (this.#state === 'taken') this.#tracing.giveBack(this.#scope);
    this.#state = 'decided';
    trace?.stamp(this.#frontEnd.sent, nowNs());
    trace?.end();
  }
}

function httpContext(exchange: { header(name: string): string }): ParentContext | null {
  const traceparent = exchange.header('traceparent');
  return traceparent === '' ? null : { traceparent, tracestate: exchange.header('tracestate') };
}

function nowNs(): number {
  return Math.round(monotonicUs() * 1000);
}
