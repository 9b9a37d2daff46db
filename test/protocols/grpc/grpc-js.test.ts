import { GrpcJsEngine } from '../../../src/protocols/grpc/grpc-js.js';
import { runGrpcContract } from './engine.contract.js';

runGrpcContract({
  makeEngine: () => new GrpcJsEngine(),
  skip: { 'of calls that ask for it go out compressed': 'its servers cannot compress' },
});
