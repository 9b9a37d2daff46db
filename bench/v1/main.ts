import { suitesMain } from '../core/runner.js';
import { v1Suites } from './suites.js';

await suitesMain('v1', v1Suites, ['net']);
