import { randomBytes } from 'node:crypto';
import type { SecureServerOptions } from 'node:http2';
import { afterEach, describe, expect, test } from 'vitest';
import { GrpcWire } from '../../../../bench/load/wires/grpc-wire.js';
import type { WireTarget } from '../../../../bench/load/wires/wire.js';
import { selfSigned } from '../../../protocols/grpc/certificates.js';
import { answer, constants, fail, framed, GrpcServer, HEAD, type OnCall } from './http2-server.js';
import { prepared, Recorder } from './recorder.js';
import { ScriptedServer } from './scripted-server.js';

let server: GrpcServer | ScriptedServer;
let recorder: Recorder;

afterEach(async () => {
  recorder.wire.close();
  await server.stop();
  if (server instanceof GrpcServer) expect(server.errors).toEqual([]);
});

async function start(
  onCall: OnCall,
  options: SecureServerOptions = {},
  target: Partial<WireTarget> = {},
): Promise<GrpcServer> {
  const started = await GrpcServer.start(options, onCall);
  server = started;
  recorder = await Recorder.open({ protocol: 'grpc', port: started.port, slots: 4, ...target });
  return started;
}

const echo: OnCall = (stream, message) => answer(stream, message);
const ask = (text: string | Buffer) => recorder.ask(prepared(framed(Buffer.from(text))));

/** Sends in all slots, each time something else, until there were so many answers; all must be echoes. */
async function echoMany(count: number, bytes: number): Promise<void> {
  const sent = new Map<number, Buffer>();
  const send = (slot: number) => {
    sent.set(slot, randomBytes(bytes));
    recorder.wire.send(slot, prepared(framed(sent.get(slot)!)), 0);
  };
  recorder.after = ({ slot, failure, body }) => {
    if (failure !== null || !body.equals(sent.get(slot)!)) throw new Error(`slot ${slot}: ${failure?.message}`);
    if (recorder.answers.length <= count - 4) send(slot);
  };
  for (let slot = 0; slot < 4; slot++) send(slot);
  await recorder.until(() => recorder.answers.length === count || recorder.closed.length > 0);
  expect(recorder.answers).toHaveLength(count);
}

describe('the fields of a request', () => {
  test('are those of gRPC and those asked for, also where they come from the header table', async () => {
    const headers = [['x-key', 'secret of mine']] as const;
    const { headers: seen, port } = await start(echo, {}, { headers });
    for (let nth = 0; nth < 3; nth++) expect((await ask('hello')).body.toString()).toBe('hello');
    const expected = {
      ':method': 'POST',
      ':scheme': 'http',
      ':path': '/inference.GRPCInferenceService/ModelInfer',
      ':authority': `127.0.0.1:${port}`,
      te: 'trailers',
      'content-type': 'application/grpc',
      'x-key': 'secret of mine',
    };
    expect(seen.map((fields) => Object.fromEntries(Object.entries(fields)))).toEqual([expected, expected, expected]);
  });

  test.each([0, 100])('arrive where the header table of the server has %i bytes', async (headerTableSize) => {
    const { headers } = await start(echo, { settings: { headerTableSize } });
    for (let nth = 0; nth < 3; nth++) await ask('hello');
    expect(headers.map((fields) => fields.te)).toEqual(['trailers', 'trailers', 'trailers']);
  });

  test('arrive where the table is made smaller on the way', async () => {
    const { headers, sessions } = await start(echo);
    await ask('hello');
    sessions[0]!.settings({ headerTableSize: 0 });
    for (let nth = 0; nth < 3; nth++) await ask('hello');
    expect(headers.map((fields) => fields.te)).toEqual(Array(4).fill('trailers'));
  });

  test('arrive where they are too many for the table', async () => {
    const headers = Array.from({ length: 40 }, (_, nth) => [`x-${nth}`, 'y'.repeat(100)] as const);
    const { headers: seen } = await start(echo, {}, { headers });
    for (let nth = 0; nth < 2; nth++) await ask('hello');
    expect(seen.map((fields) => fields['x-39'])).toEqual(['y'.repeat(100), 'y'.repeat(100)]);
  });
});

describe('windows and limits of the server', () => {
  test.each([1, 1000, 70_000])('a window of %i bytes for each stream', async (initialWindowSize) => {
    await start(echo, { settings: { initialWindowSize } });
    await echoMany(12, initialWindowSize === 1 ? 20 : 200_000);
  });

  test('frames of 100 kB', async () => {
    await start(echo, { settings: { maxFrameSize: 100_000 } });
    await echoMany(12, 1_000_000);
  });

  test('two streams at a time', async () => {
    const started = await start(echo, { settings: { maxConcurrentStreams: 2 } });
    await echoMany(40, 1000);
    expect(started.busiest).toBeLessThanOrEqual(2);
  });

  test('no stream at all, until the server says otherwise', async () => {
    const { sessions } = await start(echo, { settings: { maxConcurrentStreams: 0 } });
    recorder.wire.send(0, prepared(framed(Buffer.from('x'))), 0);
    sessions[0]!.settings({ maxConcurrentStreams: 1 });
    await recorder.until(() => recorder.answers.length === 1);
    expect(recorder.answers[0]).toMatchObject({ failure: null });
  });

  test('answers larger than any frame, with padding', async () => {
    await start(echo, { paddingStrategy: constants.PADDING_STRATEGY_MAX });
    await echoMany(8, 100_000);
  });
});

describe('failures', () => {
  test.each<[string, string, string, OnCall]>([
    ['trailers only', 'gRPC UNAVAILABLE', 'no such – model', (stream) => fail(stream, 14, 'no such %E2%80%93 model')],
    ['a message that is not encoded', 'gRPC INTERNAL', '100% wrong', (stream) => fail(stream, 13, '100% wrong')],
    ['a status that is not known', 'gRPC 77', 'odd', (stream) => fail(stream, 77, 'odd')],
    [
      'an answer, but then trailers',
      'gRPC RESOURCE_EXHAUSTED',
      'too much',
      (stream, message) => answer(stream, message, { 'grpc-status': '8', 'grpc-message': 'too much' }),
    ],
    [
      'a reset',
      'gRPC CANCELLED',
      'the server reset the stream: CANCEL',
      (stream) => stream.close(constants.NGHTTP2_CANCEL),
    ],
    [
      'no gRPC at all',
      'gRPC UNIMPLEMENTED',
      'the answer has the status 404 of HTTP',
      (stream) => {
        stream.respond({ ':status': 404 });
        stream.end('<html>');
      },
    ],
    [
      'no trailers',
      'gRPC INTERNAL',
      'the answer has no grpc-status',
      (stream, message) => {
        stream.respond(HEAD);
        stream.end(framed(message));
      },
    ],
    ['no message', 'gRPC INTERNAL', 'expected one message as the answer, found 0', (stream) => fail(stream, 0, '')],
  ])('%s', async (_name, kind, message, onCall) => {
    await start((stream, bytes, nth) => (nth === 0 ? onCall(stream, bytes, nth) : echo(stream, bytes, nth)));
    expect(await ask('first')).toMatchObject({ isFinal: true, failure: { kind, message } });
    expect(await ask('second')).toMatchObject({ failure: null });
    expect(recorder.closed).toEqual([]);
  });

  test('an answer before the whole request is there frees the slot', async () => {
    const started = await GrpcServer.start({ settings: { initialWindowSize: 100 } }, echo);
    server = started;
    recorder = await Recorder.open({ protocol: 'grpc', port: started.port, slots: 1 });
    let calls = 0;
    started.onStream = (stream) => {
      if (calls++ === 0) fail(stream, 8, 'too large');
    };
    expect((await ask(Buffer.alloc(50_000))).failure).toEqual({
      kind: 'gRPC RESOURCE_EXHAUSTED',
      message: 'too large',
    });
    expect((await ask('small')).body.toString()).toBe('small');
  });

  test('trailers of 60 kB, in CONTINUATION', async () => {
    await start((stream) => fail(stream, 13, 'x'.repeat(60_000)), { settings: { maxHeaderListSize: 100_000 } });
    expect((await ask('hello')).failure?.message).toHaveLength(60_000);
  });
});

describe('the end of a connection', () => {
  test('a server that lets calls end and wants no new ones gets them over a new connection', async () => {
    const { sessions } = await start((stream, message, nth) => {
      if (nth % 10 === 5) stream.session!.goaway(constants.NGHTTP2_NO_ERROR);
      answer(stream, message);
    });
    await echoMany(100, 100);
    expect(sessions.length).toBeGreaterThan(3);
    expect(recorder.closed).toEqual([]);
  });

  test('when the numbers of streams run out, there is a new connection', async () => {
    const started = await GrpcServer.start({}, echo);
    server = started;
    recorder = new Recorder(
      { port: started.port, slots: 4 },
      (target, user) => new GrpcWire(target, user, 2 ** 31 - 41),
    );
    await recorder.wire.open();
    await echoMany(100, 100);
    expect(started.sessions).toHaveLength(5);
  });

  test('a server that wants no calls on any connection is not asked for ever', async () => {
    const started = await start(echo);
    started.sessions[0]!.goaway(constants.NGHTTP2_NO_ERROR, 0);
    await recorder.until(() => recorder.closed.length > 0);
    expect(recorder.closed).toEqual([{ kind: 'connection closed', message: 'the server takes no calls (GOAWAY)' }]);
  });

  test('GOAWAY for a reason fails what is in flight, with the reason', async () => {
    await start((stream) =>
      stream.session!.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, Buffer.from('too_many_pings')),
    );
    recorder.wire.send(2, prepared(framed(Buffer.from('x'))), 0);
    await recorder.until(() => recorder.closed.length > 0);
    expect(recorder.answers).toMatchObject([
      { slot: 2, failure: { kind: 'connection closed', message: 'GOAWAY ENHANCE_YOUR_CALM: too_many_pings' } },
    ]);
  });

  test('a server that answers no call is a time-out', async () => {
    await start(() => {}, {}, { timeoutMs: 80 });
    recorder.wire.send(3, prepared(framed(Buffer.from('x'))), 0);
    await recorder.until(() => recorder.closed.length > 0);
    expect(recorder.answers).toMatchObject([{ slot: 3, failure: { kind: 'timeout' } }]);
  });

  test('pings are answered', async () => {
    const { sessions } = await start(echo);
    const duration = await new Promise((resolve, reject) => {
      sessions[0]!.ping((error, ms) => (error ? reject(error) : resolve(ms)));
    });
    expect(duration).toBeGreaterThan(0);
  });

  test.each([
    ['says nothing', '', /timeout: not connected within 80 ms/],
    ['speaks HTTP/1.1', 'HTTP/1.1 400 Bad Request\r\n\r\n', /bad answer: a frame of .* is this HTTP\/2/],
  ])('a server that %s cannot be opened', async (_name, text, message) => {
    server = await ScriptedServer.start((socket) => socket.write(text));
    recorder = new Recorder({ protocol: 'grpc', port: server.port, timeoutMs: 80 });
    await expect(recorder.wire.open()).rejects.toThrow(message);
  });
});

describe('TLS', () => {
  const { cert, key } = selfSigned('conch');
  const tls = { ca: cert.toString(), certificate: '', key: '', verifiesPeer: true, verifiesHost: true };

  async function startSecure(more: Partial<typeof tls>): Promise<Recorder> {
    const started = await GrpcServer.start({ cert, key }, echo, true);
    server = started;
    recorder = new Recorder({
      protocol: 'grpc',
      host: 'localhost',
      port: started.port,
      slots: 4,
      tls: { ...tls, ...more },
    });
    return recorder;
  }

  test('the server is checked, and calls are answered', async () => {
    await (await startSecure({})).wire.open();
    await echoMany(20, 100_000);
  });

  test('a server that the authority does not know is refused, unless it need not be known', async () => {
    await expect((await startSecure({ ca: '' })).wire.open()).rejects.toThrow(/connection failed: .*self-signed/);
    await server.stop();
    await (await startSecure({ ca: '', verifiesPeer: false })).wire.open();
    await echoMany(8, 10);
  });
});
