import { ERROR_CLASSES, type InstanceInit, type WorkerMessage } from '../src/backends/worker-protocol.js';
import { monotonicUs } from '../src/base/clock.js';
import { ERROR_CLASS, PLACEMENT, STATUS, STATUS_ERROR, STATUS_NO_ROOM } from '../src/memory/layout.js';
import { RingConsumer, RingMemory } from '../src/memory/ring.js';
import { asServerError } from '../src/types/errors.js';
import { SealedBatch } from './batch.js';
import { BatchInputBinder } from './batch-inputs.js';
import { type BoundInput, InputBinder } from './inputs.js';
import { NoRoom, OutputWriter } from './outputs.js';
import type { RunOutput } from './run-output.js';

/** What a backend does in its worker: runs one execution at a time. */
export interface Runner {
  /**
   * Inputs and outputs in the order of the configuration, batch inputs behind the others; an input is null where the batch has none. `place` says where in the arena
   * an output of known shape will lie, for a backend that can write it there itself (null = shapes are not known). Throws what the
   * clients shall read.
   */
  run(inputs: readonly (BoundInput | null)[], batch: SealedBatch, place: OutputPlace | null): readonly RunOutput[];
  /** The outputs of the last run are written. The result tells the shapes of the states that it left; null = they cannot change. */
  commit(): string | null;
  /** The outputs of the last run have been copied, or never will be. */
  endRun(): void;
  /** The instance ends: gives back what lies outside of JavaScript's memory. */
  close(): void;
}

/** Byte position in the arena of output `output` of `rows` rows; asked for in the order of the outputs. */
export type OutputPlace = (output: number, rows: number) => number;

/** The life of an instance: load, say so, then batches until the main thread stops it. Blocks the thread. */
export function serveInstance(init: InstanceInit, load: () => Runner): void {
  let runner: Runner;
  try {
    runner = load();
  } catch (error) {
    const { code, message } = asServerError(error);
    tell(init, { kind: 'failed', code, message });
    return;
  }
  tell(init, { kind: 'ready' });
  new InstanceLoop(init, runner).serve();
  runner.close();
}

function tell(init: InstanceInit, message: WorkerMessage): void {
  init.port.postMessage(message);
}

class InstanceLoop {
  readonly #ring: RingConsumer;
  readonly #batch: SealedBatch;
  readonly #binders: readonly (InputBinder | BatchInputBinder)[];
  readonly #bound: (BoundInput | null)[];
  /** So many of them come from requests. */
  readonly #inputs: number;
  readonly #arena: SharedArrayBuffer;
  readonly #writer: OutputWriter;
  readonly #runner: Runner;
  readonly #place: OutputPlace | null;

  constructor(init: InstanceInit, runner: Runner) {
    const memory = new RingMemory(init.ring, init.maxEntries);
    this.#ring = new RingConsumer(memory);
    this.#batch = new SealedBatch(memory);
    this.#binders = [
      ...init.inputs.map((_, index) => new InputBinder(init, index)),
      ...init.batchInputs.map((layout) => new BatchInputBinder(init, layout)),
    ];
    this.#bound = this.#binders.map(() => null);
    this.#inputs = init.inputs.length;
    this.#arena = init.arena;
    this.#writer = new OutputWriter(init, this.#ring);
    this.#runner = runner;
    this.#place = this.#writer.allFixed ? (output, rows) => this.#writer.placeOf(output, rows) : null;
  }

  serve(): void {
    for (let entries = this.#ring.next(); entries > 0; entries = this.#ring.next()) {
      this.#batch.read(this.#ring.base, entries);
      this.#execute();
      this.#ring.done();
    }
  }

  #execute(): void {
    const { words } = this.#ring.memory;
    const { base } = this.#ring;
    try {
      words[base + STATUS] = this.#run();
    } catch (error) {
      words[base + STATUS] = error instanceof NoRoom ? STATUS_NO_ROOM : STATUS_ERROR;
      const { code, message } = asServerError(error);
      words[base + ERROR_CLASS] = Math.max(0, ERROR_CLASSES.indexOf(code));
      this.#ring.writeText(message);
    } finally {
      this.#runner.endRun();
    }
  }

  /** Some input had to be copied together. */
  #isGathered(): boolean {
    for (let i = 0; i < this.#inputs; i++) {
      const input = this.#bound[i]!;
      if (input !== null && input.memory.buffer !== this.#arena) return true;
    }
    return false;
  }

  /** The result is the batch's status. */
  #run(): number {
    const { memory, base } = this.#ring;
    const batch = this.#batch;
    memory.setTime(base, 0, monotonicUs());
    for (let i = 0; i < this.#binders.length; i++) this.#bound[i] = this.#binders[i]!.bind(batch);
    memory.words[base + PLACEMENT] = this.#isGathered() ? 1 : 0;
    memory.setTime(base, 1, monotonicUs());
    const outputs = this.#runner.run(this.#bound, batch, this.#place);
    memory.setTime(base, 2, monotonicUs());
    const status = this.#writer.write(batch, outputs);
    const stateKey = this.#runner.commit();
    if (stateKey !== null) this.#ring.writeText(stateKey);
    memory.setTime(base, 3, monotonicUs());
    return status;
  }
}
