import { describe, expect, test } from 'vitest';
import { NetEngine } from '../../../src/protocols/http/net.js';
import type { SocketDecision, SocketHandler } from '../../../src/protocols/web-socket.js';
import { EngineFixture, plain } from '../http/engine-fixture.js';
import { runSocketContract } from './engine.contract.js';
import { upgradeHead } from './socket-fixture.js';

describe('WebSockets of the engine net', () => runSocketContract({ makeEngine: () => new NetEngine(), skip: {} }));

test('an upgrade that is refused only when it is its turn is answered, and the connection closes', async () => {
  const accept: SocketDecision = { kind: 'accept', protocol: '', open: () => expect.unreachable() };
  const decisions: SocketDecision[] = [
    accept,
    { kind: 'refuse', status: 503, headers: plain, body: Buffer.from('too late') },
  ];
  const handler: SocketHandler = {
    limits: { maxMessageBytes: 1024, maxUnsentBytes: 1024 },
    decide: () => decisions.shift()!,
  };
  const fixture = await EngineFixture.start(new NetEngine(), () => expect.unreachable(), {}, handler);
  try {
    const client = await fixture.connect();
    const answer = await client.ask(upgradeHead('/ws'));
    const { status, headers, body } = answer!;
    expect([status, headers.get('connection'), body.toString()]).toEqual([503, 'close', 'too late']);
    await client.closed;
  } finally {
    await fixture.stop();
  }
});
