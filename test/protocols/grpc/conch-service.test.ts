import { runServiceContract } from './service.contract.js';

runServiceContract('conch');
