import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import type { InferRequest } from '../../../src/backends/request.js';
import type { JsonPool } from '../../../src/protocols/json-pool.js';
import type { WriteTask } from '../../../src/protocols/json-tasks.js';
import { write } from '../../../src/protocols/json-thread.js';
import type { MessageSocket, PartsHolder, SocketOwner, SocketRequest } from '../../../src/protocols/web-socket.js';
import { SocketService } from '../../../src/protocols/ws/service.js';
import { PuppetModel } from '../../fakes/puppet-model.js';
import { serverOf } from '../grpc/idle-model.js';

vi.mock('../../../src/backends/worker-instance.js', () => import('../../fakes/puppet-worker.js'));

const limits = {
  maxMessageBytes: 1 << 20,
  maxUnsentBytes: 1 << 16,
  maxInFlight: 100,
  idleTimeoutMs: 0,
  pingIntervalMs: 0,
  maxConnections: 100,
  maxInputBytes: 1 << 20,
};

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Writes in this thread, but not at once. */
const pool = {
  async write(task: WriteTask): Promise<Uint8Array> {
    await turn();
    const outcome = write(task);
    if ('error' in outcome) throw new Error(outcome.error.message);
    return new Uint8Array(outcome.result);
  },
} as JsonPool;

/** Takes messages when the test says so; what lies in views is read then and not before. */
class LazySocket implements MessageSocket {
  readonly canPause = true;
  isBlocked = false;
  owner!: SocketOwner;
  readonly sent: string[] = [];
  readonly #parts: { number: number; parts: readonly Uint8Array[]; holder: PartsHolder | null }[] = [];

  get isWritable(): boolean {
    return !this.isBlocked;
  }

  get unsentBytes(): number {
    return this.#parts.length;
  }

  sendText(text: Uint8Array): void {
    this.sendParts(-1, [Buffer.from(text)], null);
  }

  sendBinary(number: number, bytes: Uint8Array): void {
    this.sendParts(number, [Buffer.from(bytes)], null);
  }

  sendParts(number: number, parts: readonly Uint8Array[], holder: PartsHolder | null): void {
    this.#parts.push({ number, parts, holder });
  }

  /** The client takes everything. */
  take(): void {
    for (const { number, parts, holder } of this.#parts.splice(0)) {
      this.sent.push(textOf(number, Buffer.concat(parts)));
      holder?.onPartsReleased();
    }
  }

  /** The client is gone. */
  close(): void {
    for (const { holder } of this.#parts.splice(0)) holder?.onPartsReleased();
    this.owner.onClosed();
  }

  ping(): void {}
  pause(): void {}
  resume(): void {}
  terminate(): void {}
}

/** `id: length, last element` of the output, with a full stop where it is the last; errors by their status. */
function textOf(number: number, bytes: Buffer): string {
  const json = number < 0 ? bytes : bytes.subarray(0, number);
  const { id, status, parameters, outputs } = JSON.parse(json.toString());
  if (status !== undefined) return `${id}: ${status}.`;
  const [{ data, shape }] = outputs;
  const last = data?.at(-1) ?? bytes.readInt32LE(bytes.length - 4);
  return `${id}: ${shape[0]}, ${last}${parameters.triton_final_response ? '.' : ''}`;
}

/** Elements of an answer: small, copied; views; JSON of another thread. */
const SIZES = [1, 2, 3, 30_000, 80_000];

const action = fc.record({
  kind: fc.constantFrom('ask', 'answer', 'answer', 'answer', 'end', 'fail', 'cancel', 'take', 'block', 'free', 'turn'),
  nth: fc.nat(3),
  size: fc.constantFrom(...SIZES),
  isBinary: fc.boolean(),
});

interface Twin {
  readonly id: string;
  readonly request: InferRequest;
  readonly expected: string[];
  isOver: boolean;
  isCancelled: boolean;
}

test.each([false, true])(
  'whatever happens, answers come in their order, and all memory comes back (closed early: %s)',
  async (isClosedEarly) => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 60 }), fc.boolean(), async (actions, isOrdered) => {
        const model = await PuppetModel.started();
        const service = new SocketService(serverOf(model), limits, [], pool);
        const socket = new LazySocket();
        const query = isOrdered ? 'ordered=1' : '';
        const decision = service.decide({ path: '/v2/models/puppet/infer', query, header: () => '' } as SocketRequest);
        if (decision.kind !== 'accept') throw new Error(decision.kind);
        socket.owner = decision.open(socket);
        const twins: Twin[] = [];
        let values = 0;

        const ask = (isBinary: boolean): void => {
          const id = `${twins.length}`;
          const inputs = [{ name: 'A', datatype: 'INT32', shape: [1], data: [1] }];
          const message = { id, parameters: { binary_data_output: isBinary }, inputs };
          socket.owner.onMessage(Buffer.from(JSON.stringify(message)), true);
          twins.push({ id, request: model.running.at(-1)!, expected: [], isOver: false, isCancelled: false });
        };
        const answer = (twin: Twin, size: number, isFinal: boolean): void => {
          const value = ++values;
          twin.expected.push(`${twin.id}: ${size}, ${value}${isFinal ? '.' : ''}`);
          model.answer(twin.request, new Array(size).fill(value), isFinal);
        };
        const act = (kind: string, twin: Twin, size: number): void => {
          if (twin.isOver) return;
          if (kind === 'answer') answer(twin, size, false);
          if (kind === 'cancel') {
            twin.isCancelled = true;
            socket.owner.onMessage(Buffer.from(`{"cancel":"${twin.id}"}`), true);
          }
          if (kind !== 'end' && kind !== 'fail') return;
          twin.isOver = true;
          if (kind === 'fail') {
            twin.expected.push(`${twin.id}: 500.`);
            model.fail(twin.request);
          } else {
            answer(twin, size, true);
            model.complete(twin.request);
          }
        };

        for (const { kind, nth, size, isBinary } of actions) {
          if (kind === 'ask') ask(isBinary);
          else if (kind === 'turn') await turn();
          else if (kind === 'take') socket.take();
          else if (kind === 'block') socket.isBlocked = true;
          else if (kind === 'free') {
            socket.isBlocked = false;
            socket.owner.onDrain();
          } else if (twins.length > 0) act(kind, twins[Math.max(0, twins.length - 1 - nth)]!, size);
        }
        if (isClosedEarly) socket.close();
        for (const twin of twins) act('end', twin, 1);
        socket.isBlocked = false;
        // Each answer may need another thread.
        for (let turns = 0; turns < 2 * values + 4; turns++) {
          if (!isClosedEarly) socket.owner.onDrain();
          socket.take();
          await turn();
        }
        for (const { id, expected, isCancelled } of isClosedEarly ? [] : twins) {
          const mine = socket.sent.filter((text) => text.startsWith(`${id}: `));
          if (!isCancelled || mine.at(-1) !== `${id}: 499.`) expect(mine).toEqual(expected);
          else expect(mine.slice(0, -1)).toEqual(expected.slice(0, mine.length - 1));
        }
        service.stop();
        expect([model.inFlight, model.planes!.live]).toEqual([0, 0]);
        model.planes!.close();
        expect(model.arena.slots).toBe(0);
      }),
      { numRuns: 100 },
    );
  },
);
