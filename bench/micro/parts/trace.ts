import assert from 'node:assert/strict';
import type { AcceptedRequest } from '../../../src/core/infer-response.js';
import { type TracedRequest, traceExecution } from '../../../src/core/request-trace.js';
import { grpcContext, grpcTrace, httpTrace } from '../../../src/protocols/call-trace.js';
import { defaultTraceSettings, type TraceMode } from '../../../src/telemetry/trace/settings.js';
import { traceJson } from '../../../src/telemetry/trace/trace-json.js';
import { Tracing } from '../../../src/telemetry/trace/tracing.js';
import type { Part, Running } from '../part.js';

/** Bytes of the file of traces. */
let written = 0;

function tracingOf(rate: number, mode: TraceMode = 'triton'): Tracing {
  const writer = {
    write: (root: Parameters<typeof traceJson>[0]) => {
      written += traceJson(root).join(',\n').length;
    },
    flush() {},
    close() {},
  };
  const settings = { ...defaultTraceSettings, levels: ['TIMESTAMPS' as const], file: 'trace.json', rate, mode };
  return new Tracing({ settings, writer, exportSettings: {} });
}

const exchange = { header: () => '', metadata: () => '' };
const model = { name: 'simple', version: 1, nowUs: 8000, arena: { bytes: new Uint8Array() } };

/** Of a rate that no operation reaches: each is only counted. */
const RARELY = 2 ** 50;

function untraced(decide: (tracing: Tracing) => object | null, mode?: TraceMode): Running {
  const tracing = tracingOf(RARELY, mode);
  assert.equal(tracing.isOn, true);
  assert.equal(decide(tracing), null);
  return { step: () => (tracing.isOn && decide(tracing) !== null ? 1 : 0) };
}

function traced(): Running {
  const tracing = tracingOf(1);
  const request = { model, trace: null } as unknown as AcceptedRequest;
  const executed = { model, plan: { inputs: [] }, arrivedUs: 1000, queuedUs: 1001 } as unknown as TracedRequest;
  const times = { startUs: 2000, inputsUs: 3000, inferUs: 4000, endUs: 5000 };
  const step = (): number => {
    const call = httpTrace(tracing, exchange, model.name)!;
    call.begin(request, 'r');
    traceExecution(request.trace!, executed, times);
    call.sending();
    call.end();
    return written;
  };
  assert.ok(step() > 500);
  return { step };
}

export const parts: readonly Part[] = [
  {
    name: 'trace/http-untraced',
    about: 'a request over HTTP that is not the Nth: what it pays while tracing is on',
    setUp: () => untraced((tracing) => httpTrace(tracing, exchange, model.name)),
  },
  {
    name: 'trace/grpc-untraced',
    about: 'the same over gRPC',
    setUp: () => untraced((tracing) => grpcTrace(tracing, grpcContext(tracing, exchange))),
  },
  {
    name: 'trace/spans-untraced',
    about: 'the same over HTTP in mode opentelemetry, but for finding the header',
    setUp: () => untraced((tracing) => httpTrace(tracing, exchange, model.name), 'opentelemetry'),
  },
  {
    name: 'trace/traced',
    about: 'all that is done for a request that is traced, up to the text of the file',
    setUp: traced,
  },
];
