import { checkRequest } from '../../../src/core/check-request.js';
import type { ServedModel } from '../../../src/core/served-model.js';
import type { InferenceServer } from '../../../src/core/server.js';
import type { PreparedRequest } from '../encode/prepared-request.js';
import type { Wire, WireTarget, WireUser } from '../wires/wire.js';
import type { CheckedRequest, InProcessRequest } from './in-process-request.js';
import { InProcessSlot } from './in-process-slot.js';

/** So many requests go to the core in one turn of the event loop: answers that are there at once must not keep all else from running. */
const MOST_PER_TURN = 1024;
/** Between two looks for requests that take too long. */
const TIMEOUT_CHECK_MS = 100;

interface Waiting {
  readonly slot: number;
  readonly request: InProcessRequest;
  readonly sequenceId: number;
}

/** Hands requests to the core of a server in this process, which is what all protocols do with theirs. */
export class InProcessWire implements Wire {
  readonly #core: InferenceServer;
  readonly #name: string;
  readonly #version: string;
  readonly #timeoutMs: number;
  readonly #slots: readonly InProcessSlot[];
  #model: ServedModel | null = null;
  /** Of this turn of the event loop. */
  #sent = 0;
  #turn: NodeJS.Immediate | null = null;
  /** Slots whose request was refused at once: they hear of it in the next turn. */
  #refused: InProcessSlot[] = [];
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | null = null;

  /** @param version '' = the latest */
  constructor(
    core: InferenceServer,
    name: string,
    version: string,
    { slots, timeoutMs }: Pick<WireTarget, 'slots' | 'timeoutMs'>,
    user: WireUser,
  ) {
    this.#core = core;
    this.#name = name;
    this.#version = version;
    this.#timeoutMs = timeoutMs;
    this.#slots = Array.from({ length: slots }, (_, slot) => new InProcessSlot(slot, user));
  }

  /** Rejects with the server's error where there is no such model. */
  async open(): Promise<void> {
    this.#model = this.#core.find(this.#name, this.#version);
    this.#timer = setInterval(() => this.#endLate(), Math.min(TIMEOUT_CHECK_MS, this.#timeoutMs));
  }

  send(slot: number, request: PreparedRequest, sequenceId: number): void {
    this.#turn ??= setImmediate(this.#onTurn);
    const sent = request as InProcessRequest;
    if (++this.#sent > MOST_PER_TURN) this.#waiting.push({ slot, request: sent, sequenceId });
    else this.#begin(this.#slots[slot]!, sent, sequenceId);
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    if (this.#turn !== null) clearImmediate(this.#turn);
    this.#waiting = [];
    this.#refused = [];
    for (const slot of this.#slots) slot.close();
  }

  #begin(slot: InProcessSlot, request: InProcessRequest, sequenceId: number): void {
    try {
      request.checked ??= this.#check(request);
      slot.begin(this.#model!, request.checked, request, sequenceId);
    } catch (error) {
      slot.refuse(error);
      this.#refused.push(slot);
    }
  }

  /** Throws a ServerError for what does not fit the model. */
  #check(request: InProcessRequest): CheckedRequest {
    const { name, tensors } = this.#model!;
    const plan = checkRequest(name, tensors, request.head);
    return { plan, sizes: request.step.inputs.map(({ bytes }) => bytes.length) };
  }

  readonly #onTurn = (): void => {
    const refused = this.#refused;
    const waiting = this.#waiting;
    this.#turn = null;
    this.#sent = 0;
    this.#refused = [];
    this.#waiting = [];
    for (const { slot, request, sequenceId } of waiting) this.send(slot, request, sequenceId);
    for (const slot of refused) slot.tellRefusal();
  };

  #endLate(): void {
    const beforeMs = performance.now() - this.#timeoutMs;
    for (const slot of this.#slots) slot.endIfSentBefore(beforeMs);
  }
}
