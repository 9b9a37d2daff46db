import { describe } from 'vitest';
import { NetEngine } from '../../../src/protocols/http/net.js';
import { runEngineContract } from './engine.contract.js';

describe('the net engine', () => {
  runEngineContract({ makeEngine: () => new NetEngine(), skip: {} });
});
