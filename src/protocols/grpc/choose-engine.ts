import { ConchEngine } from './conch.js';
import type { GrpcEngine } from './engine.js';
import { GrpcJsEngine } from './grpc-js.js';

/** `--grpc-engine`. */
export type GrpcEngineChoice = 'auto' | 'conch' | 'grpc-js';

export interface ChosenGrpcEngine {
  readonly engine: GrpcEngine;
  /** For the log. */
  readonly line: string;
}

/** `auto` is our own. */
export function chooseGrpcEngine(choice: GrpcEngineChoice): ChosenGrpcEngine {
  if (choice === 'grpc-js') {
    return { engine: new GrpcJsEngine(), line: 'gRPC engine grpc-js (--grpc-engine=conch takes the faster one)' };
  }
  return { engine: new ConchEngine(), line: 'gRPC engine conch (--grpc-engine=grpc-js takes the other)' };
}
