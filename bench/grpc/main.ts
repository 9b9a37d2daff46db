import { suitesMain } from '../core/runner.js';
import { grpcSuites } from './suites.js';

await suitesMain('grpc', grpcSuites, ['net']);
