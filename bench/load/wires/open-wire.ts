import { GrpcStreamWire } from './grpc-stream-wire.js';
import { GrpcWire } from './grpc-wire.js';
import { HttpWire } from './http-wire.js';
import type { Wire, WireTarget, WireUser } from './wire.js';

/** A wire of the target's protocol; `open` it. */
export function openWire(target: WireTarget, user: WireUser): Wire {
  switch (target.protocol) {
    case 'http':
      return new HttpWire(target, user);
    case 'grpc':
      return new GrpcWire(target, user);
    case 'grpc-stream':
      return new GrpcStreamWire(target, user);
    default:
      throw new Error(`no wire for ${target.protocol} yet`);
  }
}
