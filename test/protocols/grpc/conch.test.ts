import { ConchEngine } from '../../../src/protocols/grpc/conch.js';
import { runGrpcContract } from './engine.contract.js';

runGrpcContract({ makeEngine: () => new ConchEngine(), skip: {} });
