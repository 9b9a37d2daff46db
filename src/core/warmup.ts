import type { BatchOutputs } from '../backends/batch-outputs.js';
import { outOfMemory } from '../backends/failures.js';
import type { Instance } from '../backends/instance.js';
import { InferRequest } from '../backends/request.js';
import type { Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import { type Arena, alignUp, type Slot } from '../memory/arena.js';
import {
  ABSENT,
  LINE_BEGIN,
  lineOf,
  NO_STATE,
  STATE_GIVEN,
  tableBytes,
  VARIABLE,
  writeLine,
} from '../memory/layout.js';
import type { FailureReason, ModelStatistics, WarmupTime } from '../telemetry/statistics.js';
import type { ServerError } from '../types/errors.js';
import { fillRandom } from './random-data.js';
import { readNote } from './response-note.js';
import { type WarmupSample, type WarmupTensor, warmupFailed } from './warmup-samples.js';

export interface WarmupSettings {
  readonly model: string;
  readonly samples: readonly WarmupSample[];
  /** Lines of a request's tensor table: inputs, controls and states. */
  readonly lines: number;
  readonly hasStates: boolean;
}

export interface WarmupSurroundings {
  readonly arena: Arena;
  readonly statistics: ModelStatistics;
  readonly clock: Clock;
  readonly log: Log;
}

const NO_SEQUENCE = { sequenceId: 0, sequenceStart: false, sequenceEnd: false };

/** One row of a sample. It stands in its batch as often as the sample has requests: workers only read it. */
class WarmupRequest extends InferRequest {
  readonly rows = 1;
  readonly batchKey = '';
  readonly priority = 0;
  readonly timeoutUs = 0;
  readonly sequence = NO_SEQUENCE;
  override readonly isAwaited = false;
  readonly row = VARIABLE;
  readonly slotOffset: number;
  override readonly state: number;
  /** Settled when all requests have ended and their memory is given back; rejects with their error. */
  readonly ended: Promise<void>;
  #settle: (error: ServerError | null) => void = () => {};
  readonly #slot: Slot;
  readonly #surroundings: WarmupSurroundings;
  #left: number;
  /** Of the first that failed. */
  #error: ServerError | null = null;

  constructor(slot: Slot, state: number, requests: number, surroundings: WarmupSurroundings) {
    super();
    this.slotOffset = slot.offset;
    this.state = state;
    this.queuedUs = surroundings.clock.nowUs();
    this.#slot = slot;
    this.#surroundings = surroundings;
    this.#left = requests;
    this.ended = new Promise((resolve, reject) => {
      this.#settle = (error) => (error === null ? resolve() : reject(error));
    });
  }

  override complete(outputs: BatchOutputs, index: number): void {
    const { error } = readNote(outputs, index);
    const { statistics } = this.#surroundings;
    const { startUs, inputsUs, inferUs, endUs } = outputs.batch.times;
    const queueUs = Math.max(0, startUs - this.queuedUs);
    if (error !== null) statistics.requestFailed('BACKEND', this.#ageUs);
    else statistics.requestSucceeded(1, this.#ageUs, queueUs, inputsUs - startUs, inferUs - inputsUs, endUs - inferUs);
    outputs.release();
    this.#end(error);
  }

  /** Nobody waits for what a decoupled model says. */
  override respond(outputs: BatchOutputs | null): void {
    outputs?.release();
  }

  override fail(error: ServerError, reason: FailureReason): void {
    this.#surroundings.statistics.requestFailed(reason, this.#ageUs);
    this.#end(error);
  }

  get #ageUs(): number {
    return this.#surroundings.clock.nowUs() - this.queuedUs;
  }

  #end(error: ServerError | null): void {
    this.#error ??= error;
    if (--this.#left > 0) return;
    this.#surroundings.arena.give(this.#slot);
    this.#settle(this.#error);
  }
}

/**
 * Runs the samples of a model on its instances, past its scheduler (fact sheet 5.8): each one that has loaded, before it serves. Their
 * requests count as any others do.
 */
export class Warmup {
  readonly #settings: WarmupSettings;
  readonly #surroundings: WarmupSurroundings;
  constructor(settings: WarmupSettings, surroundings: WarmupSurroundings) {
    this.#settings = settings;
    this.#surroundings = surroundings;
  }

  /** Resolves when all samples ran, or the instance is stopped or dead; rejects with INVALID_ARGUMENT, which names the sample that failed. */
  async run(instance: Instance): Promise<void> {
    const times: WarmupTime[] = [];
    for (const sample of this.#settings.samples) {
      const us = await this.#runSample(instance, sample).catch((error) => {
        throw warmupFailed(sample.name, error);
      });
      if (instance.state !== 'warming') return;
      times.push({ instance: instance.name, sample: sample.name, executions: sample.executions, us });
      const what = `instance '${instance.name}' of model '${this.#settings.model}' ran warmup sample '${sample.name}'`;
      this.#surroundings.log.info(`${what} in ${(us / 1000).toFixed(1)} ms`);
    }
    this.#surroundings.statistics.warmedUp(instance.name, times);
  }

  /** The result is how long it took, in microseconds. */
  async #runSample(instance: Instance, sample: WarmupSample): Promise<number> {
    const { clock } = this.#surroundings;
    const startUs = clock.nowUs();
    for (let execution = 0; execution < sample.executions && instance.state === 'warming'; execution++) {
      await this.#execute(instance, sample);
    }
    return clock.nowUs() - startUs;
  }

  async #execute(instance: Instance, { tensors, requests }: WarmupSample): Promise<void> {
    const { model, hasStates } = this.#settings;
    const slot = this.#takeSlot(tensors);
    const state = hasStates ? STATE_GIVEN : NO_STATE;
    const request = new WarmupRequest(slot, state, requests, this.#surroundings);
    if (!instance.begin(Array<InferRequest>(requests).fill(request), requests, 'idle_instance', null)) {
      this.#surroundings.arena.give(slot);
      throw outOfMemory(model);
    }
    await request.ended;
  }

  /** A slot with these tensors behind its table. */
  #takeSlot(tensors: readonly WarmupTensor[]): Slot {
    const { arena } = this.#surroundings;
    const { lines, model } = this.#settings;
    let begin = alignUp(tableBytes(lines, 0));
    const slot = arena.takeInput(tensors.reduce((sum, { bytes }) => sum + alignUp(bytes), begin));
    if (slot === null) throw outOfMemory(model);
    for (let line = 0; line < lines; line++) arena.table[lineOf(slot.offset, line) + LINE_BEGIN] = ABSENT;
    for (const { line, datatype, dims, bytes, data } of tensors) {
      writeLine(arena.table, lineOf(slot.offset, line), begin, bytes, dims);
      const target = arena.bytes.subarray(slot.offset + begin, slot.offset + begin + bytes);
      if (data === 'zero') target.fill(0);
      else if (data === 'random') fillRandom(target, datatype);
      else target.set(data);
      begin += alignUp(bytes);
    }
    return slot;
  }
}
