import type { BatchOutputs } from '../../src/backends/batch-outputs.js';
import { InferRequest, type Sequel } from '../../src/backends/request.js';
import type { FailureReason } from '../../src/telemetry/statistics.js';
import type { ServerError } from '../../src/types/errors.js';
import type { SequenceFlags } from '../../src/types/infer.js';

/** A request that remembers how it ended, and that it ended once. */
export class FakeRequest extends InferRequest {
  readonly name: string;
  readonly rows: number;
  readonly batchKey: string;
  readonly priority: number;
  readonly timeoutUs: number;
  slotOffset = 0;
  row = 0;
  sequence: SequenceFlags;
  ended = '';
  /** What follows its next executions, where it may run again: nothing when there are no more. */
  readonly sequels: Sequel[] = [];
  runs = 0;
  #isExecuted = false;
  #isAnswered = false;

  constructor(
    name: string,
    options: {
      rows?: number;
      key?: string;
      priority?: number;
      timeoutUs?: number;
      slot?: number;
      row?: number;
      sequence?: SequenceFlags;
    } = {},
  ) {
    super();
    this.name = name;
    this.rows = options.rows ?? 1;
    this.batchKey = options.key ?? '';
    this.priority = options.priority ?? 0;
    this.timeoutUs = options.timeoutUs ?? 0;
    this.slotOffset = options.slot ?? 0;
    this.row = options.row ?? 0;
    this.sequence = options.sequence ?? { sequenceId: 0, sequenceStart: false, sequenceEnd: false };
  }

  override complete(_outputs: BatchOutputs, _index: number, _firstRow: number): void {
    this.runs++;
    this.#isExecuted = true;
    const sequel = this.sequels.shift() ?? 'over';
    if (sequel === 'over' || this.#isAnswered) this.end('completed');
  }

  override sequelOf(): Sequel {
    return this.sequels[0] ?? 'over';
  }

  override respond(_outputs: BatchOutputs | null, isFinal: boolean): void {
    this.#isAnswered ||= isFinal;
    if (isFinal && this.#isExecuted) this.end('completed');
  }

  override runAgain(): void {
    if (!this.#isExecuted || this.ended !== '') throw new Error(`${this.name} was queued again while it runs`);
    this.#isExecuted = false;
    this.sequence = { ...this.sequence, sequenceStart: false, sequenceEnd: false };
  }

  override fail(error: ServerError, reason: FailureReason): void {
    this.end(`${reason} ${error.code} ${error.message}`);
  }

  end(how: string): void {
    if (this.ended !== '') throw new Error(`${this.name} ended twice: ${this.ended}, then ${how}`);
    this.ended = how;
  }
}
