import { randomBytes, randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLog } from '../../../src/base/log.js';
import { parseCommandLine } from '../../../src/cli.js';
import type { Conch } from '../../../src/conch.js';
import {
  type GrpcCall,
  type GrpcCallOwner,
  type GrpcHandler,
  WHOLE_MESSAGE_BYTES,
} from '../../../src/protocols/grpc/engine.js';
import { GrpcJsEngine } from '../../../src/protocols/grpc/grpc-js.js';
import type { GrpcService } from '../../../src/protocols/grpc/service.js';
import { BytesClient, status, usualKeepalive } from './engine-fixture.js';
import { floats, infer, oneInput, openStream, streamResponses } from './real-server.js';
import { encodeRequest, type TwinRequest } from './twin.js';

/** Hands large messages of an engine that has them whole to their owner in pieces, as an engine of its own socket does. */
class InPieces implements GrpcCallOwner {
  readonly #owner: GrpcCallOwner;

  constructor(owner: GrpcCallOwner) {
    this.#owner = owner;
  }

  onMessage(call: GrpcCall, message: Buffer): void {
    if (message.length <= WHOLE_MESSAGE_BYTES) {
      this.#owner.onMessage(call, message);
      return;
    }
    this.#owner.onMessageBegin(call, message.length);
    for (let at = 0; at < message.length; ) {
      const piece = Buffer.from(message.subarray(at, at + randomInt(1, 65_536)));
      this.#owner.onPiece(call, piece);
      at += piece.length;
      piece.fill(0xdd);
    }
    this.#owner.onMessageEnd(call);
  }

  onMessageBegin(): void {}
  onPiece(): void {}
  onMessageEnd(): void {}
  onHalfClose = (call: GrpcCall) => this.#owner.onHalfClose(call);
  onCancel = (call: GrpcCall) => this.#owner.onCancel(call);
  onDrain = (call: GrpcCall) => this.#owner.onDrain(call);
}

let conch: Conch;
let client: BytesClient;
let close: () => Promise<void>;

/** The built server in this process: its workers are files of JavaScript. */
beforeAll(async () => {
  const built = (path: string) => import(new URL(`../../../dist/src/${path}`, import.meta.url).href);
  const models = fileURLToPath(new URL('../../models', import.meta.url));
  const command = parseCommandLine([models, '--allow-http=false', '--allow-grpc=false', '--allow-metrics=false']);
  if (command.kind !== 'serve') throw new Error(JSON.stringify(command));
  const nothing = { verbose: 0, info: false, warning: false, error: false, format: 'default', file: '' } as const;
  const log = createLog(nothing);
  const { Conch: BuiltConch } = (await built('conch.js')) as typeof import('../../../src/conch.js');
  conch = new BuiltConch(command.options, '0', log);
  await conch.start();
  const { GrpcService: BuiltService } = (await built('protocols/grpc/service.js')) as {
    GrpcService: typeof GrpcService;
  };
  const { BodyBudget } = (await built(
    'protocols/body-buffer.js',
  )) as typeof import('../../../src/protocols/body-buffer.js');
  const budget = new BodyBudget(1 << 28);
  const { V1Server } = (await built('protocols/v1-server.js')) as typeof import('../../../src/protocols/v1-server.js');
  const service = new BuiltService(new V1Server(conch.server, '0'), budget, log);
  const handler: GrpcHandler = {
    methods: service.methods,
    onCall: (call) => {
      service.onCall(call);
      call.owner = new InPieces(call.owner);
    },
  };
  const listener = await new GrpcJsEngine().listen(
    {
      address: '127.0.0.1',
      port: 0,
      reusePort: false,
      tls: null,
      maxMessageBytes: 2_147_483_647,
      compression: 'none',
      keepalive: usualKeepalive,
      budget,
      log,
    },
    handler,
  );
  client = new BytesClient(listener.port);
  close = () => listener.close();
});

afterAll(async () => {
  client?.close();
  await close?.();
  await conch?.stop();
});

const ELEMENTS = [15_000, 16_385, 40_000, 300_000, 2_000_000];

test('tensors that come in pieces come back as they were', async () => {
  for (const elements of ELEMENTS) {
    const raw = randomBytes(elements * 4);
    for (const id of ['', 'id']) {
      const { response } = await infer(client, { ...oneInput('identity_int32', 'INT32', [1, elements], raw), id });
      expect(response!.id).toBe(id);
      expect(response!.raw_output_contents[0]!.equals(raw)).toBe(true);
    }
  }
});

test('on streams too, in order, among small ones, strings and typed contents', async () => {
  const stream = openStream(client);
  const text = 'x'.repeat(200_000);
  const string = Buffer.concat([Buffer.from([0x40, 0x0d, 3, 0]), Buffer.from(text)]);
  const values = Array.from({ length: 50_000 }, (_, nth) => nth - 25_000);
  const typed: TwinRequest = {
    model_name: 'identity_int32',
    inputs: [{ name: 'INPUT0', datatype: 'INT32', shape: [1, 50_000], contents: { int_contents: values } }],
  };
  const large = randomBytes(1_200_000);
  const requests = [
    oneInput('identity_int32', 'INT32', [1, 300_000], large),
    oneInput('identity_fp32', 'FP32', [1, 1], floats(1)),
    oneInput('identity_bytes', 'BYTES', [1, 1], string),
    typed,
    { ...oneInput('identity_int32', 'INT32', [1, 300_000], large.subarray(4)), id: 'short' },
    oneInput('identity_int32', 'INT32', [1, 300_000], large),
  ];
  for (const request of requests) stream.send(encodeRequest(request));
  stream.halfClose();
  const { code, messages } = await stream.outcome;
  expect(code).toBe(status.OK);
  const responses = streamResponses(messages);
  expect(responses.map(({ error_message }) => error_message)).toEqual([
    '',
    '',
    '',
    '',
    "[request id: short] input byte size mismatch for input 'INPUT0' for model 'identity_int32'. Expected 1200000, got 1199996",
    '',
  ]);
  const ints = Buffer.from(Int32Array.from(values).buffer);
  const expected = [large, floats(1), string, ints, null, large];
  const same = expected.map((raw, nth) => raw?.equals(responses[nth]!.infer_response.raw_output_contents[0]!) ?? true);
  expect(same).toEqual(expected.map(() => true));
});
