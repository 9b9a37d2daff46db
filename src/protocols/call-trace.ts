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

/** While tracing is on. A closure here would cost those that are not traced. @param exchange whose headers can be read */
export function httpTrace(tracing: Tracing, exchange: { header(name: string): string }): CallTrace {
  return new CallTrace(
    tracing,
    HTTP,
    contextOf(tracing, (name) => exchange.header(name)),
  );
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
  #trace: Trace | null = null;

  constructor(tracing: Tracing, frontEnd: FrontEnd, context: ParentContext | null) {
    this.#tracing = tracing;
    this.#frontEnd = frontEnd;
    this.#context = context;
  }

  /** The request is complete and about to be submitted. @param id '' = none */
  begin(request: AcceptedRequest, id: string): void {
    const { name, version } = request.model;
    const trace = this.#tracing.begin(name, version, id, this.#context);
    if (trace === null) return;
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
