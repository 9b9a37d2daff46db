import { GrpcStreamWire } from './grpc-stream-wire.js';
import { GrpcWire } from './grpc-wire.js';
import { HttpWire } from './http-wire.js';
import type { Wire, WireTarget, WireUser } from './wire.js';
import { WsWire } from './ws-wire.js';

const wires = { http: HttpWire, grpc: GrpcWire, 'grpc-stream': GrpcStreamWire, ws: WsWire } as const;

/** A wire of the target's protocol; `open` it. */
export function openWire(target: WireTarget, user: WireUser): Wire {
  return new wires[target.protocol](target, user);
}
