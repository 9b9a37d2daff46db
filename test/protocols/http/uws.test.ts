import { describe, test } from 'vitest';
import { UwsEngine } from '../../../src/protocols/http/uws.js';
import { loadUws } from '../../../src/protocols/http/uws-binary.js';
import { runEngineContract } from './engine.contract.js';
import { runStreamedAnswerContract } from './streamed-answer.contract.js';

const closes = 'uWebSockets 20.30 closes the connection without an answer';
const ignores = 'uWebSockets 20.30 answers nothing and closes after some 10 s';

const skip: Readonly<Record<string, string>> = {
  'of a method nobody knows are answered': closes,
  'in the absolute form reach the handler with the path': ignores,
  'of HTTP/1.0 are answered without a Host, and the connection closes': ignores,
  'are answered in order where they are pipelined behind one that is worked on': closes,
  'are all answered where hundreds are pipelined behind one that is worked on': closes,
  'are not asked for where the client expects 100 Continue and is refused': 'uWebSockets says 100 before we are called',
  'close a connection that is idle for too long': 'uWebSockets has a time limit of its own, some 10 s',
  'no host': closes,
  'a length and chunked': closes,
  'a blank before the colon': ignores,
  'bytes that are no HTTP': ignores,
  'a chunk without a size': closes,
  'garbage behind a request is answered after that request': ignores,
  'drains: closes connections that are idle':
    'uWebSockets 20.30 does not tell of connections: they end after some 10 s',
};

const skipStreamed: Readonly<Record<string, string>> = {
  'to HTTP/1.0 is not chunked, and ends with the connection': ignores,
  'holds up the answers to requests that are pipelined behind it': closes,
  'and does not go on, the connection is cut': 'uWebSockets has a time limit of its own, some 10 s',
};

const uws = loadUws();

if (typeof uws === 'string') {
  test.skip(`the uws engine (${uws})`, () => {});
} else {
  const makeEngine = () => new UwsEngine(uws);
  describe('the uws engine', () => {
    describe('requests and answers', () => runEngineContract({ makeEngine, skip }));
    runStreamedAnswerContract({ makeEngine, skip: skipStreamed });
  });
}
