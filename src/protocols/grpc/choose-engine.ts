import type { GrpcEngine } from './engine.js';

/** `--grpc-engine`. */
export type GrpcEngineChoice = 'auto' | 'conch' | 'grpc-js';

export interface ChosenGrpcEngine {
  readonly engine: GrpcEngine;
  /** For the log. */
  readonly line: string;
}

/** `auto` is our own. The other one is not even read from disk: a server starts sooner. */
export async function chooseGrpcEngine(choice: GrpcEngineChoice): Promise<ChosenGrpcEngine> {
  if (choice === 'grpc-js') {
    const { GrpcJsEngine } = await import('./grpc-js.js');
    return { engine: new GrpcJsEngine(), line: 'gRPC engine grpc-js (--grpc-engine=conch takes the faster one)' };
  }
  const { ConchEngine } = await import('./conch.js');
  return { engine: new ConchEngine(), line: 'gRPC engine conch (--grpc-engine=grpc-js takes the other)' };
}
