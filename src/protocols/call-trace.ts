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
 * While tracing is on; null = the request is not traced, which is known beforehand because its model is.
 * @param exchange whose headers can be read
 */
export function httpTrace(
  tracing: Tracing,
  exchange: { header(name: string): string },
  model: string,
): CallTrace | null {
  const context = tracing.readsParents ? contextOf(tracing, (name) => exchange.header(name)) : null;
  return tracing.take(model, context) ? new CallTrace(tracing, HTTP, context, model) : null;
}

/** As `httpTrace`. @param context from `grpcContext` */
export function grpcTrace(tracing: Tracing, context: ParentContext | null): CallTrace {
  return new CallTrace(tracing, GRPC, context);
}

/** @param call whose metadata can be read */
export function grpcContext(tracing: Tracing, call: { metadata(name: string): string }): ParentContext | null {
  return contextOf(tracing, (name) => call.metadata(name));
}

/** As `httpTrace`: messages have no headers. */
export function socketTrace(tracing: Tracing): CallTrace {
  return new CallTrace(tracing, HTTP, null);
}

/** What a front end writes down of one request, which is traced or not: made only while tracing is on, as soon as the request begins to come. */
export class CallTrace {
  readonly #tracing: Tracing;
  readonly #frontEnd: FrontEnd;
  readonly #receivedNs = nowNs();
  readonly #context: ParentContext | null;
  /** For which it was taken, and there is no trace yet; '' = it is to be taken, or there is. */
  #takenFor: string;
  #trace: Trace | null = null;

  constructor(tracing: Tracing, frontEnd: FrontEnd, context: ParentContext | null, takenFor = '') {
    this.#tracing = tracing;
    this.#frontEnd = frontEnd;
    this.#context = context;
    this.#takenFor = takenFor;
  }

  /** The request is complete and about to be submitted. @param id '' = none */
  begin(request: AcceptedRequest, id: string): void {
    const { name, version } = request.model;
    const isTaken = this.#takenFor !== '' || this.#tracing.take(name, this.#context);
    this.#takenFor = '';
    if (!isTaken) return;
    const trace = this.#tracing.traceOf(name, version, id, this.#context);
    this.#trace = trace;
    trace.stamp(this.#frontEnd.received, this.#receivedNs);
    trace.stamp(this.#frontEnd.complete, nowNs());
    request.trace = trace.hold();
  }

  /** An answer, or the error in its place, is about to be sent. */
  sending(): void {
    this.#trace?.stamp(this.#frontEnd.sending, nowNs());
  }

  /** The last byte of the last one is sent, or nobody wants it any more. */
  end(): void {
    const trace = this.#trace;
    this.#trace = null;
    // The request was refused before it got anywhere.
    if (this.#takenFor !== '') this.#tracing.giveBack(this.#takenFor);
    this.#takenFor = '';
    trace?.stamp(this.#frontEnd.sent, nowNs());
    trace?.end();
  }
}

function contextOf(tracing: Tracing, header: (name: string) => string): ParentContext | null {
  const traceparent = tracing.readsParents ? header('traceparent') : '';
  return traceparent === '' ? null : { traceparent, tracestate: header('tracestate') };
}

function nowNs(): number {
  return Math.round(monotonicUs() * 1000);
}
