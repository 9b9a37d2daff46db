import {
  type Context,
  createTraceState,
  ROOT_CONTEXT,
  SpanKind,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  BatchSpanProcessor,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import type { Log } from '../../base/log.js';
import { type ParentContext, readTraceparent } from './parent-context.js';
import type { OpenTelemetrySettings } from './settings.js';
import { planSpans, type SpanPlan } from './span-plan.js';
import type { Trace } from './trace.js';
import { WallClock } from './wall-clock.js';

/** Makes spans of traces, with the SDK of OpenTelemetry, which sends them in batches. Loaded only where spans are wanted. */
export class Spans {
  readonly #provider: BasicTracerProvider;
  readonly #tracer: Tracer;
  readonly #clock = new WallClock();

  constructor(settings: OpenTelemetrySettings, log: Log) {
    const exporter = new WatchedExporter(new OTLPTraceExporter({ url: settings.url }), settings.url, log);
    this.#provider = new BasicTracerProvider({
      resource: resourceFromAttributes(Object.fromEntries(settings.resource)),
      // Which requests are traced has been decided.
      sampler: new AlwaysOnSampler(),
      spanProcessors: [
        new BatchSpanProcessor(exporter, {
          maxQueueSize: settings.maxQueueSize,
          maxExportBatchSize: settings.maxExportBatchSize,
          scheduledDelayMillis: settings.scheduleDelayMs,
        }),
      ],
    });
    this.#tracer = this.#provider.getTracer('triton-server');
  }

  add(root: Trace): void {
    const plan = planSpans(root);
    if (plan === null) return;
    this.#clock.adjust();
    this.#start(plan, contextOf(root.parentContext));
  }

  flush(): Promise<void> {
    return this.#provider.forceFlush();
  }

  close(): Promise<void> {
    return this.#provider.shutdown();
  }

  #start(plan: SpanPlan, parent: Context): void {
    const { name, startNs, endNs, attributes, events, children } = plan;
    const options = { kind: SpanKind.SERVER, startTime: this.#clock.at(startNs), attributes };
    const span = this.#tracer.startSpan(name, options, parent);
    for (const { activity, ns } of events) span.addEvent(activity, undefined, this.#clock.at(ns));
    for (const child of children) this.#start(child, trace.setSpan(parent, span));
    span.end(this.#clock.at(endNs));
  }
}

function contextOf(parent: ParentContext | null): Context {
  const caller = parent === null ? null : readTraceparent(parent.traceparent);
  if (caller === null) return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: caller.traceId,
    spanId: caller.spanId,
    traceFlags: caller.isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    traceState: createTraceState(parent!.tracestate),
    isRemote: true,
  });
}

/** Says once that spans do not arrive, and once that they do again. */
class WatchedExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #url: string;
  readonly #log: Log;
  #fails = false;

  constructor(exporter: SpanExporter, url: string, log: Log) {
    this.#exporter = exporter;
    this.#url = url;
    this.#log = log;
  }

  export: SpanExporter['export'] = (spans, done) => {
    this.#exporter.export(spans, (result) => {
      this.#note(result.error);
      done(result);
    });
  };

  async shutdown(): Promise<void> {
    await this.#exporter.shutdown();
  }

  #note(error: Error | undefined): void {
    if (error !== undefined && !this.#fails) this.#log.warning(`spans do not arrive at ${this.#url}: ${error.message}`);
    if (error === undefined && this.#fails) this.#log.info(`spans arrive at ${this.#url} again`);
    this.#fails = error !== undefined;
  }
}
