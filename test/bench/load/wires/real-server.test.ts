import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { WireProtocol, WireTarget } from '../../../../bench/load/wires/wire.js';
import { onEachEngine, ServerProcess } from '../../../e2e/server.js';
import { Recorder } from './recorder.js';
import { outputBytes, request, simpleRequest } from './requests.js';

const SLOTS = 8;
const MEGABYTE = 2 ** 20;

function int32s(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readInt32LE(4 * index));
}

onEachEngine((engine) => {
  let server: ServerProcess;
  let recorder: Recorder | null = null;

  beforeAll(async () => {
    const grpcEngine = engine === 'uws' ? 'conch' : 'grpc-js';
    const models = ['simple', 'identity_fp32', 'repeat'];
    server = await ServerProcess.start({ engine, models, flags: [`--grpc-engine=${grpcEngine}`] });
  });

  afterEach(() => {
    recorder?.wire.close();
    recorder = null;
  });

  afterAll(() => server.stop());

  async function open(protocol: WireProtocol, model: string, more: Partial<WireTarget> = {}): Promise<Recorder> {
    const port = protocol === 'http' || protocol === 'ws' ? server.httpPort : server.grpcPort;
    const slots = protocol === 'http' ? 1 : SLOTS;
    recorder = await Recorder.open({ protocol, port, path: `/v2/models/${model}/infer`, slots, ...more });
    return recorder;
  }

  describe.each<WireProtocol>(['http', 'grpc', 'grpc-stream', 'ws'])('the wire %s', (protocol) => {
    test('gives each slot the answers to its own requests, again and again', async () => {
      const heard = await open(protocol, 'simple');
      const slots = protocol === 'http' ? 1 : SLOTS;
      const requests = Array.from({ length: slots }, (_, slot) => simpleRequest(protocol, 1000, slot));
      heard.after = ({ slot }) => {
        if (heard.answers.length <= 400 - slots) heard.wire.send(slot, requests[slot]!, 0);
      };
      for (let slot = 0; slot < slots; slot++) heard.wire.send(slot, requests[slot]!, 0);
      await heard.until(() => heard.answers.length === 400);
      for (const answer of heard.answers) {
        expect(answer).toMatchObject({ isFinal: true, isEmpty: false, failure: null });
        const { slot } = answer;
        expect(int32s(outputBytes(protocol, answer))).toEqual([
          ...Array(16).fill(1000 + slot),
          ...Array(16).fill(1000 - slot),
        ]);
      }
      expect(heard.closed).toEqual([]);
    });

    test('carries tensors of a megabyte both ways', async () => {
      const heard = await open(protocol, 'identity_fp32');
      const slots = protocol === 'http' ? 1 : 3;
      const tensors = Array.from({ length: slots }, (_, slot) =>
        Buffer.from(new Float32Array(MEGABYTE / 4).fill(slot + 0.5).buffer),
      );
      for (const [slot, bytes] of tensors.entries()) {
        const input = { name: 'INPUT0', datatype: 'FP32', shape: [1, MEGABYTE / 4], bytes };
        heard.wire.send(slot, request(protocol, 'identity_fp32', [input]), 0);
      }
      await heard.until(() => heard.answers.length === slots);
      for (const answer of heard.answers) {
        expect(answer.failure).toBe(null);
        expect(outputBytes(protocol, answer).equals(tensors[answer.slot]!)).toBe(true);
      }
    });

    test('a request with a wrong shape fails with the text of the server; the next one succeeds', async () => {
      const heard = await open(protocol, 'simple');
      const input = { name: 'INPUT0', datatype: 'INT32', shape: [1, 2], bytes: Buffer.alloc(8) };
      const { failure } = await heard.ask(request(protocol, 'simple', [input]));
      const kinds = {
        http: 'HTTP 400',
        ws: 'HTTP 400',
        grpc: 'gRPC INVALID_ARGUMENT',
        'grpc-stream': 'gRPC stream error',
      };
      expect(failure).toEqual({ kind: kinds[protocol], message: expect.stringMatching(/INPUT/) });
      expect((await heard.ask(simpleRequest(protocol, 1, 2))).failure).toBe(null);
    });

    test('when the server goes away, requests and wire are closed', async () => {
      const dying = await ServerProcess.start({ engine, models: ['simple'] });
      const port = protocol === 'http' || protocol === 'ws' ? dying.httpPort : dying.grpcPort;
      const heard = await open(protocol, 'simple', { port });
      expect((await heard.ask(simpleRequest(protocol, 1, 2))).failure).toBe(null);
      dying.main.child.kill('SIGKILL');
      await heard.until(() => heard.closed.length > 0);
      await dying.main.exit;
      expect(heard.closed[0]!.kind).toMatch(/^connection (closed|reset)$/);
      await expect(heard.wire.open()).rejects.toThrow(/connection refused/);
    });
  });

  describe.each<WireProtocol>(['grpc-stream', 'ws'])('a decoupled model over %s', (protocol) => {
    const repeat = (count: number) =>
      request(protocol, 'repeat', [
        { name: 'COUNT', datatype: 'INT32', shape: [1, 1], bytes: Buffer.from(Int32Array.of(count).buffer) },
      ]);

    test('answers as often as it says, then there is one that is final', async () => {
      const heard = await open(protocol, 'repeat', { isDecoupled: true });
      for (const count of [0, 1, 3]) heard.wire.send(count, repeat(count), 0);
      await heard.until(() => heard.answers.filter((answer) => answer.isFinal).length === 3);
      for (const count of [0, 1, 3]) {
        const answers = heard.answers.filter(({ slot }) => slot === count);
        expect(answers.every(({ failure }) => failure === null)).toBe(true);
        expect(answers.filter(({ isEmpty }) => !isEmpty)).toHaveLength(count);
        expect(answers.map(({ isFinal }) => isFinal)).toEqual([...Array(answers.length - 1).fill(false), true]);
      }
    });

    test('an error is the last answer', async () => {
      const heard = await open(protocol, 'repeat', { isDecoupled: true });
      const answer = await heard.ask(simpleRequest(protocol, 1, 2, 'repeat'));
      expect(answer).toMatchObject({ isFinal: true, failure: { message: expect.stringMatching(/INPUT0|COUNT/) } });
      heard.wire.send(0, repeat(1), 0);
      await heard.until(() => heard.answers.some(({ failure, isFinal }) => failure === null && isFinal));
    });
  });
});
