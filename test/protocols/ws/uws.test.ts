import { describe, test } from 'vitest';
import { UwsEngine } from '../../../src/protocols/http/uws.js';
import { loadUws } from '../../../src/protocols/http/uws-binary.js';
import { runSocketContract } from './engine.contract.js';

const cannotPause = 'uWebSockets 20.30 cannot stop reading a WebSocket';

const skip: Readonly<Record<string, string>> = {
  'may have messages behind it in the same segment':
    'uWebSockets 20.30 loses them; RFC 6455, 4.1, has clients wait for the answer',
  'that are not masked end their connection': 'uWebSockets 20.30 takes every message for a masked one',
  'that are too large close the connection with 1009': 'uWebSockets 20.30 hangs up without a word',
  'keeps messages back, also those that came in one segment, until it ends': cannotPause,
  'that came in thousands in one piece do not keep those of others waiting': cannotPause,
  'fills the socket of a client that goes on sending, and no memory of ours': cannotPause,
};

const uws = loadUws();

if (typeof uws === 'string') {
  test.skip(`WebSockets of the engine uws (${uws})`, () => {});
} else {
  describe('WebSockets of the engine uws', () => runSocketContract({ makeEngine: () => new UwsEngine(uws), skip }));
}
