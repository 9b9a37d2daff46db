import { join } from 'node:path';
import { expectThat, type Feature, plain } from './feature.js';
import { hasTraces, spanFlags, traceFlags } from './http-features.js';

const small = { model: 'simple_b64', connections: 8, protocol: 'grpc', pairs: 8 } as const;

export const grpcFeatures: readonly Feature[] = [
  {
    ...small,
    name: 'grpc-traces',
    title: 'gRPC: traces, every 1000th, into a file',
    on: ({ directory }) => ({ ...plain, flags: traceFlags(join(directory, 'trace.json')) }),
    off: () => plain,
    proof: (_server, { directory }) => hasTraces(directory),
  },
  {
    ...small,
    name: 'grpc-spans',
    title: 'gRPC: traces, every 1000th, as spans of OpenTelemetry',
    on: ({ spansUrl }) => ({ ...plain, flags: spanFlags(spansUrl) }),
    off: () => plain,
    proof: async (_server, place) => expectThat(place.spanRequests() > 0, 'spans at the receiver'),
  },
];
