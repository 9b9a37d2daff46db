import { runServiceContract } from './service.contract.js';

runServiceContract('grpc-js');
