import { suitesMain } from '../core/runner.js';
import { pipelineSuites } from './suites.js';

await suitesMain('pipelines', pipelineSuites, ['net']);
