import type { CallEvent, CallsMessage } from '../../src/backends/call-protocol.js';
import type { ToWorker } from '../../src/backends/channel-protocol.js';
import type { InstanceInit } from '../../src/backends/worker-protocol.js';
import { headOf, liesIn } from './call-head.js';
import type { CalledAnswer } from './called-answer.js';
import type { CallAnswer, CallOptions } from './model-api.js';
import { CallFailure, type CallHost, OpenCall } from './open-call.js';
import { BatchRequest } from './request.js';

/** What was begun in one `execute`, and what it was lent: all of it ends with it. */
interface Execution {
  /** Calls on behalf of its requests. */
  readonly bound: OpenCall[];
  /** Calls whose inputs are those of its requests. */
  readonly unsent: OpenCall[];
  readonly lent: Set<CalledAnswer>;
}

/** The calls of an instance to other models. */
export class Calls implements CallHost {
  readonly arena: Uint8Array;
  readonly #port: InstanceInit['port'];
  readonly #open = new Map<number, OpenCall>();
  /** Calls whose outputs are to be read where they lie, and the execution that this is for. */
  readonly #borrowers = new WeakMap<OpenCall, Execution>();
  #nextId = 0;
  #events: CallEvent[] = [];
  /** Null = none runs, or its model answers any number of times. */
  #execution: Execution | null = null;

  constructor({ arena, port }: Pick<InstanceInit, 'arena' | 'port'>) {
    this.arena = new Uint8Array(arena);
    this.#port = port;
  }

  async infer(options: CallOptions): Promise<CallAnswer> {
    const call = this.#begin(options, false);
    const outcome = await call.next();
    if (outcome instanceof CallFailure) throw outcome.toError();
    return outcome!;
  }

  /** It begins when the first answer is asked for. */
  async *inferStream(options: CallOptions): AsyncGenerator<CallAnswer, void, undefined> {
    const call = this.#begin(options, true);
    try {
      for (let outcome = await call.next(); outcome !== null; outcome = await call.next()) {
        if (outcome instanceof CallFailure) throw outcome.toError();
        yield outcome;
        outcome.giveBack();
      }
    } finally {
      call.cancel();
    }
  }

  /** `execute` runs from now on, and its requests are answered when it has ended. */
  executes(): void {
    this.#execution = { bound: [], unsent: [], lent: new Set() };
  }

  executed(): void {
    const { bound, unsent, lent } = this.#execution!;
    this.#execution = null;
    for (const answer of lent) answer.release();
    for (const call of bound) call.cancel();
    for (const call of unsent) if (call.isUnsent) call.cancel(tooLate(call));
  }

  tell(event: CallEvent): void {
    if (this.#events.length === 0) queueMicrotask(this.#flush);
    this.#events.push(event);
  }

  released({ id }: OpenCall, answer: CalledAnswer, number: number): void {
    this.#execution?.lent.delete(answer);
    this.tell({ kind: 'release', id, answer: number });
  }

  forget({ id }: OpenCall): void {
    this.#open.delete(id);
  }

  lend(call: OpenCall, answer: CalledAnswer): boolean {
    const execution = this.#borrowers.get(call);
    if (execution === undefined || execution !== this.#execution) return false;
    execution.lent.add(answer);
    return true;
  }

  #begin(options: CallOptions, isStream: boolean): OpenCall {
    const head = headOf(options, isStream);
    if (this.#nextId === 0) this.#port.on('message', this.#take);
    const caller = options.request instanceof BatchRequest ? options.request.key : -1;
    const call = new OpenCall(this.#nextId++, this, caller, head, options.inputs);
    this.#open.set(call.id, call);
    this.#enter(call, options);
    for (const signal of [options.signal, options.request?.signal]) if (signal !== undefined) call.follow(signal);
    return call;
  }

  #enter(call: OpenCall, options: CallOptions): void {
    const execution = this.#execution;
    if (execution === null) return;
    if (options.request !== undefined) execution.bound.push(call);
    if (options.borrow === true) this.#borrowers.set(call, execution);
    if (options.inputs.some((input) => liesIn(input, this.arena.buffer))) execution.unsent.push(call);
  }

  readonly #take = (message: ToWorker): void => {
    if (message.kind !== 'replies') return;
    for (const reply of message.replies) {
      const call = this.#open.get(reply.id);
      // It was cancelled meanwhile.
      if (call === undefined) continue;
      if (reply.kind === 'place') call.onPlace(reply.begins);
      else if (reply.kind === 'answer') call.onAnswer(reply.answer);
      else call.onError(reply.code, reply.message);
    }
  };

  readonly #flush = (): void => {
    const events = this.#events;
    this.#events = [];
    this.#port.postMessage({ kind: 'calls', events } satisfies CallsMessage);
  };
}

function tooLate({ model }: OpenCall): CallFailure {
  return new CallFailure(
    'CANCELLED',
    `execute() ended before its call of model '${model}' was sent: the inputs of its requests are gone`,
  );
}
