import { describe } from 'vitest';
import { NetEngine } from '../../../src/protocols/http/net.js';
import { runSocketContract } from './engine.contract.js';

describe('WebSockets of the engine net', () => runSocketContract({ makeEngine: () => new NetEngine(), skip: {} }));
