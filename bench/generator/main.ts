import { suitesMain } from '../core/runner.js';
import { generatorSuites } from './suites.js';

await suitesMain('generator', generatorSuites, []);
