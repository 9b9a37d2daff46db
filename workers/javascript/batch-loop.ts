import { setImmediate as nextTurn } from 'node:timers/promises';
import type { JavaScriptSettings } from '../../src/backends/javascript-protocol.js';
import { ERROR_CLASSES, type InstanceInit } from '../../src/backends/worker-protocol.js';
import { monotonicUs } from '../../src/base/clock.js';
import { ERROR_CLASS, PLACEMENT, STATUS, STATUS_ERROR, STATUS_NO_ROOM, STATUS_PARTS } from '../../src/memory/layout.js';
import { RingConsumer, RingMemory } from '../../src/memory/ring.js';
import { asServerError } from '../../src/types/errors.js';
import { SealedBatch } from '../batch.js';
import type { AnswerChannel } from './answer-channel.js';
import type { Calls } from './calls.js';
import type { JavaScriptModel } from './model-api.js';
import { NoRoomForParts, OutputParts } from './output-parts.js';
import { BatchTools, RunningBatch } from './running-batch.js';

/** Under load the next batch is always there: timers and sockets of the model must get their turn all the same. */
const LONGEST_TURN_US = 1000;

/** What a loop runs, and whom it tells. */
export interface LoopParts {
  readonly model: JavaScriptModel;
  readonly channel: AnswerChannel;
  readonly calls: Calls;
  readonly isDecoupled: boolean;
  /** Tells the server's log of an error in the model's code. */
  readonly onError: (text: string) => void;
}

/** Runs one batch after the other until the main thread stops the instance, while the thread's event loop lives on. */
export class BatchLoop {
  readonly #model: JavaScriptModel;
  readonly #channel: AnswerChannel;
  readonly #calls: Calls;
  readonly #isDecoupled: boolean;
  readonly #ring: RingConsumer;
  readonly #batch: SealedBatch;
  readonly #parts: OutputParts;
  readonly #tools: BatchTools;
  #turnUs = monotonicUs();

  constructor(init: InstanceInit<JavaScriptSettings>, { model, channel, calls, isDecoupled, onError }: LoopParts) {
    const memory = new RingMemory(init.ring, init.maxEntries);
    this.#model = model;
    this.#channel = channel;
    this.#calls = calls;
    this.#isDecoupled = isDecoupled;
    this.#ring = new RingConsumer(memory);
    this.#batch = new SealedBatch(memory);
    this.#parts = new OutputParts(init, this.#ring);
    this.#tools = new BatchTools(init, this.#batch, this.#parts, isDecoupled ? channel : null, onError);
  }

  async serve(): Promise<void> {
    for (let entries = await this.#ring.nextSoon(); entries > 0; entries = await this.#ring.nextSoon()) {
      this.#batch.read(this.#ring.base, entries);
      await this.#execute();
      this.#ring.done();
      if (monotonicUs() - this.#turnUs < LONGEST_TURN_US) continue;
      await nextTurn();
      this.#turnUs = monotonicUs();
    }
  }

  async #execute(): Promise<void> {
    const { memory, base } = this.#ring;
    const beganUs = monotonicUs();
    memory.setTime(base, 0, beganUs);
    memory.setTime(base, 1, beganUs);
    this.#parts.begin(this.#batch.entries);
    this.#tools.inputs.hasGathered = false;
    const batch = new RunningBatch(this.#tools, this.#batch, this.#ring.sequence);
    await this.#run(batch);
    memory.setTime(base, 2, monotonicUs());
    memory.words[base + PLACEMENT] = batch.isGathered ? 1 : 0;
    memory.words[base + STATUS] = this.#finish(batch);
    memory.setTime(base, 3, monotonicUs());
  }

  async #run(batch: RunningBatch): Promise<void> {
    if (!this.#isDecoupled) this.#begins(batch);
    try {
      // Not waited for where there is nothing to wait for.
      const promise = this.#model.execute(batch);
      if (promise !== undefined) await promise;
    } catch (error) {
      batch.failRest(error);
    }
    if (!this.#isDecoupled) this.#ended();
  }

  /** All that its requests have ends with it. */
  #begins(batch: RunningBatch): void {
    this.#channel.runs(batch.requests);
    this.#calls.executes();
  }

  #ended(): void {
    this.#channel.runs([]);
    this.#calls.executed();
  }

  /** The status of the batch. */
  #finish(batch: RunningBatch): number {
    try {
      batch.end();
      this.#parts.finish();
      return STATUS_PARTS;
    } catch (error) {
      if (error instanceof NoRoomForParts) return STATUS_NO_ROOM;
      const { code, message } = asServerError(error);
      this.#ring.memory.words[this.#ring.base + ERROR_CLASS] = Math.max(0, ERROR_CLASSES.indexOf(code));
      this.#ring.writeText(message);
      return STATUS_ERROR;
    }
  }
}
