import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import protobuf from 'protobufjs';

/** Of opentelemetry/proto/collector/trace/v1/trace_service.proto what is looked at here. */
const proto = `
syntax = "proto3";
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
message KeyValue { string key = 1; AnyValue value = 2; }
message Resource { repeated KeyValue attributes = 1; }
message Scope { string name = 1; }
message Event { fixed64 time_unix_nano = 1; string name = 2; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
  fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9; repeated Event events = 11;
}
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message Request { repeated ResourceSpans resource_spans = 1; }
`;
const requestType = protobuf.parse(proto, { keepCase: true }).root.lookupType('Request');

export interface ReceivedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** '' = it is the first of its trace. */
  readonly parentId: string;
  readonly traceState: string;
  /** 2 = SERVER. */
  readonly kind: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly events: readonly { readonly name: string; readonly ns: bigint }[];
  readonly scope: string;
  readonly resource: Readonly<Record<string, string | number>>;
}

/** Takes spans as OTLP over HTTP, protobuf, at a free port of this machine. */
export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  /** Requests, also those that were refused. */
  requests = 0;
  /** What it answers. */
  status = 200;
  readonly #server: Server;
  #onRequest: () => void = () => {};

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<OtlpReceiver> {
    const server = createServer();
    const receiver = new OtlpReceiver(server);
    server.on('request', (request, response) => void receiver.#take(request, response));
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/traces`;
  }

  /** Resolves when it holds for what has come. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        this.#onRequest = resolve;
      });
    }
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const isOtlp = request.url === '/v1/traces' && request.headers['content-type'] === 'application/x-protobuf';
    this.requests++;
    if (isOtlp && this.status === 200) this.spans.push(...decode(Buffer.concat(parts)));
    response.writeHead(isOtlp ? this.status : 415).end();
    this.#onRequest();
  }
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly string_value?: string; readonly int_value?: string; readonly double_value?: number };
}

function decode(body: Buffer): ReceivedSpan[] {
  const shape = { longs: String, bytes: Buffer, defaults: true };
  const { resource_spans } = requestType.toObject(requestType.decode(body), shape);
  const found: ReceivedSpan[] = [];
  for (const { resource, scope_spans } of resource_spans) {
    for (const { scope, spans } of scope_spans) {
      for (const span of spans) {
        found.push({ ...spanOf(span), scope: scope.name, resource: valuesOf(resource.attributes) });
      }
    }
  }
  return found;
}

// biome-ignore lint/suspicious/noExplicitAny: as protobufjs gives it.
function spanOf(span: any): Omit<ReceivedSpan, 'scope' | 'resource'> {
  return {
    name: span.name,
    traceId: span.trace_id.toString('hex'),
    spanId: span.span_id.toString('hex'),
    parentId: span.parent_span_id.toString('hex'),
    traceState: span.trace_state,
    kind: span.kind,
    startNs: BigInt(span.start_time_unix_nano),
    endNs: BigInt(span.end_time_unix_nano),
    attributes: valuesOf(span.attributes),
    events: span.events.map(({ name, time_unix_nano }: { name: string; time_unix_nano: string }) => ({
      name,
      ns: BigInt(time_unix_nano),
    })),
  };
}

function valuesOf(attributes: readonly Attribute[]): Record<string, string | number> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => {
      const { string_value, int_value, double_value } = value;
      return [key, string_value ?? (int_value === undefined ? double_value! : Number(int_value))];
    }),
  );
}
