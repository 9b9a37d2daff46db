/** W3C Trace Context of the request that a client sent: its headers `traceparent` and `tracestate` ('' = none), as they came. */
export interface ParentContext {
  readonly traceparent: string;
  readonly tracestate: string;
}

/** The caller's span; `isSampled`: it is traced there, and wants to be here. */
export interface ParentSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const zeros = /^0+$/;

/** Null for what is none by W3C Trace Context, 3.2: it counts as not there. Versions after 00 may have more behind. */
export function readTraceparent(traceparent: string): ParentSpan | null {
  const match = form.exec(traceparent.trim());
  if (match === null) return null;
  const [, version, traceId, spanId, flags, more] = match;
  if (version === 'ff' || (version === '00' && more !== undefined)) return null;
  if (zeros.test(traceId!) || zeros.test(spanId!)) return null;
  return { traceId: traceId!, spanId: spanId!, isSampled: (Number.parseInt(flags!, 16) & 1) === 1 };
}
