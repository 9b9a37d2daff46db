import { afterEach, describe, expect, test } from 'vitest';
import { ConchEngine } from '../../../src/protocols/grpc/conch.js';
import type { GrpcKeepalive } from '../../../src/protocols/grpc/engine.js';
import { RawClient } from '../../transport/http2/echo-server.js';
import * as wire from '../../transport/http2/frames.js';
import { runGrpcContract } from './engine.contract.js';
import { BytesClient, GrpcFixture, status, TestOwner, UNARY, usualKeepalive } from './engine-fixture.js';

runGrpcContract({ makeEngine: () => new ConchEngine(), skip: {} });

test('metadata over the limit ends its call with RESOURCE_EXHAUSTED, and the connection goes on', async () => {
  const fixture = await GrpcFixture.start(new ConchEngine(), (call) => call.end(status.OK, ''));
  const client = new BytesClient(fixture.listener.port);
  const { code, details } = await client.unary(UNARY, Buffer.alloc(0), { metadata: { 'x-a': 'y'.repeat(20_000) } });
  expect([code, details]).toEqual([
    status.RESOURCE_EXHAUSTED,
    'a call may have 16384 bytes of metadata at most: names, values, and 32 for each entry. It has more: send less',
  ]);
  expect((await client.unary(UNARY, Buffer.alloc(0))).code).toBe(status.OK);
  client.close();
  await fixture.stop();
});

/** Triton hands these flags to gRPC C-core (`ping_abuse_policy.cc`). */
describe('pings of a client', () => {
  let fixture: GrpcFixture;
  let peer: RawClient;

  async function connect(keepalive: Partial<GrpcKeepalive> = {}): Promise<void> {
    const options = { keepalive: { ...usualKeepalive, ...keepalive } };
    fixture = await GrpcFixture.start(new ConchEngine(), (call) => call.end(status.OK, ''), options);
    peer = new RawClient(fixture.listener.port);
    peer.open();
  }

  afterEach(async () => {
    peer.socket.destroy();
    await fixture.stop();
  });

  const isPong = ({ type, flags }: wire.ReadFrame) => type === wire.PING && flags === wire.ACK;

  /** PINGs, and how many of them were answered when the last one was, or the connection closed. */
  async function answered(count: number): Promise<number> {
    const last = Buffer.from('the last');
    peer.send(...Array.from({ length: count - 1 }, () => wire.ping), wire.frame(wire.PING, 0, 0, last));
    await peer.frame((frame) => isPong(frame) && frame.payload.equals(last)).catch(() => {});
    return peer.frames.splice(0).filter(isPong).length;
  }

  /** A call that is answered at once, without a message. */
  async function call(streamId: number): Promise<void> {
    const fields: typeof wire.requestFields = [
      [':method', 'POST'],
      [':scheme', 'http'],
      [':path', UNARY],
      ['content-type', 'application/grpc'],
    ];
    peer.send(wire.headers(streamId, wire.END_STREAM, fields));
    await peer.frame((frame) => frame.type === wire.HEADERS && frame.streamId === streamId);
  }

  test('two may come too early; the next closes the connection with too_many_pings', async () => {
    await connect();
    peer.send(...Array.from({ length: 4 }, () => wire.ping));
    const { payload } = await peer.frame(({ type }) => type === wire.GOAWAY);
    expect(payload.readUInt32BE(4)).toBe(0xb);
    expect(payload.subarray(8).toString()).toBe('too_many_pings');
    expect(peer.frames.filter(isPong)).toHaveLength(3);
    await peer.closed();
  });

  test('--grpc-http2-max-ping-strikes: that many, and 0 is any number', async () => {
    await connect({ maxPingStrikes: 5 });
    expect(await answered(20)).toBe(6);
    await peer.closed();
    await fixture.stop();
    await connect({ maxPingStrikes: 0 });
    expect(await answered(100)).toBe(100);
  });

  test('--grpc-http2-min-recv-ping-interval-without-data counts without calls only where those pings are permitted', async () => {
    await connect({ minRecvPingIntervalMs: 0, withoutCalls: true });
    expect(await answered(100)).toBe(100);
    peer.socket.destroy();
    await fixture.stop();
    await connect({ minRecvPingIntervalMs: 0 });
    expect(await answered(100)).toBe(3);
    await peer.closed();
  });

  test('between calls that are answered do no harm', async () => {
    await connect();
    for (let round = 0; round < 20; round++) {
      await call(2 * round + 1);
      expect(await answered(3)).toBe(3);
    }
  });
});

test.each(['identity', 'gzip'])(
  'with %s, a compressed-flag that is neither 0 nor 1 ends the call',
  async (encoding) => {
    const owner = new TestOwner();
    const fixture = await GrpcFixture.start(new ConchEngine(), (call) => {
      call.owner = owner;
    });
    const peer = new RawClient(fixture.listener.port);
    peer.open();
    const fields: [string, string][] = [
      [':method', 'POST'],
      [':scheme', 'http'],
      [':path', UNARY],
      ['content-type', 'application/grpc'],
      ['grpc-encoding', encoding],
    ];
    peer.send(wire.headers(1, 0, fields), wire.data(1, Buffer.of(2, 0, 0, 0, 0)));
    const answer = new Map((await peer.frame(({ type }) => type === wire.HEADERS)).fields);
    expect([answer.get('grpc-status'), answer.get('grpc-message')]).toEqual([
      String(status.INTERNAL),
      'expected 0 or 1 as the compressed-flag of a message, found 2',
    ]);
    expect(owner.events).toEqual(['cancel']);
    peer.socket.destroy();
    await fixture.stop();
  },
);

/** A field of some KiB costs a client an octet once it is in the table: an answer that repeats it, or codes it, costs us a thousand times that. */
test('refusals repeat little of what the client said', async () => {
  const fixture = await GrpcFixture.start(new ConchEngine(), (call) => call.end(status.OK, ''));
  const peer = new RawClient(fixture.listener.port);
  peer.open();
  const long = 'x'.repeat(4000);
  const refused: [string, string][][] = [
    [[':path', `/${long}`]],
    [
      [':path', UNARY],
      ['grpc-encoding', long],
    ],
    [
      [':path', UNARY],
      ['grpc-timeout', long],
    ],
  ];
  for (const [nth, [path, ...rest]] of refused.entries()) {
    const begin: [string, string][] = [[':method', 'POST'], [':scheme', 'http'], path!];
    peer.send(wire.headers(2 * nth + 1, wire.END_STREAM, [...begin, ['content-type', 'application/grpc'], ...rest]));
  }
  const { streamId } = await peer.frame((frame) => frame.type === wire.HEADERS && frame.streamId === 5);
  expect(streamId).toBe(5);
  const messages = peer.frames
    .filter(({ type }) => type === wire.HEADERS)
    .map(({ fields }) => new Map(fields).get('grpc-message'));
  expect(messages).toEqual([
    `there is no method /${'x'.repeat(99)}...`,
    `grpc-encoding '${'x'.repeat(100)}...' is not supported; gzip and deflate are`,
    `grpc-timeout is not a time: '${'x'.repeat(100)}...'`,
  ]);
  peer.socket.destroy();
  await fixture.stop();
});
