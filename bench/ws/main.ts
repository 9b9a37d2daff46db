import { suitesMain } from '../core/runner.js';
import { wsSuites } from './suites.js';

await suitesMain('ws', wsSuites, ['net', 'uws']);
