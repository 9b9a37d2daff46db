import { ServerError } from '../../types/errors.js';
import type { GrpcEngine } from './engine.js';
import { GrpcJsEngine } from './grpc-js.js';

/** `--grpc-engine`. */
export type GrpcEngineChoice = 'auto' | 'conch' | 'grpc-js';

export interface ChosenGrpcEngine {
  readonly engine: GrpcEngine;
  /** For the log. */
  readonly line: string;
}

export function chooseGrpcEngine(choice: GrpcEngineChoice): ChosenGrpcEngine {
  if (choice === 'conch') {
    throw new ServerError('UNSUPPORTED', '--grpc-engine=conch: this version has the engine grpc-js only');
  }
  return { engine: new GrpcJsEngine(), line: 'gRPC engine grpc-js' };
}
