import { suitesMain } from '../core/runner.js';
import { sequenceSuites } from './suites.js';

await suitesMain('sequences', sequenceSuites, ['net']);
