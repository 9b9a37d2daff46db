import type { BatchOutputs } from '../../src/backends/batch-outputs.js';
import type { Instance, InstanceState } from '../../src/backends/instance.js';
import { Closing } from '../../src/backends/open-batches.js';
import type { InferRequest } from '../../src/backends/request.js';
import type { CloseReason } from '../../src/telemetry/close-reasons.js';
import { ServerError } from '../../src/types/errors.js';

const noOutputs = { batch: { stateKey: '' } } as BatchOutputs;

/** An instance that seals and finishes batches only when told to. */
export class PuppetInstance implements Instance {
  readonly name: string;
  readonly maxRows: number;
  state: InstanceState = 'serving';
  /** False = `begin` finds no memory. */
  hasMemory = true;
  /** The worker takes the open batch just before the next `replace` or `withdraw`. */
  isQuick = false;
  readonly #closing = new Closing();
  running: InferRequest[] = [];
  open: InferRequest[] = [];
  /** Called when a batch ends, before its requests are told. */
  onRoom: () => void = () => {};
  /** Every batch that was sealed, as sizes in rows. */
  readonly sealed: number[] = [];
  /** Why they had no more. */
  readonly reasons: CloseReason[] = [];

  constructor(name: string, maxRows: number) {
    this.name = name;
    this.maxRows = maxRows;
  }

  get isIdle(): boolean {
    return this.state === 'serving' && this.running.length === 0 && this.open.length === 0;
  }

  get canBegin(): boolean {
    return this.state === 'serving' && this.open.length === 0;
  }

  get openRows(): number {
    return rowsOf(this.open);
  }

  get openKey(): string {
    return this.open[0]?.batchKey ?? '';
  }

  begin(requests: readonly InferRequest[], count: number, usual: CloseReason, noted: CloseReason | null): boolean {
    if (!this.hasMemory) return false;
    this.#closing.begin(usual, noted);
    this.open = requests.slice(0, count);
    return true;
  }

  noteClosing(reason: CloseReason | null): void {
    if (reason === null) this.#closing.admit(this.maxRows > 1 && this.openRows === this.maxRows);
    else this.#closing.note(reason);
  }

  grow(request: InferRequest): boolean {
    if (this.open.length === 0 || this.openRows + request.rows > this.maxRows) return false;
    this.open.push(request);
    this.#closing.change(this.openRows === this.maxRows ? 'full' : null);
    return true;
  }

  replace(requests: readonly InferRequest[], count: number, reason: CloseReason | null): boolean {
    this.#hurry();
    if (this.open.length === 0) return false;
    this.#closing.change(reason);
    this.open = requests.slice(0, count);
    return true;
  }

  withdraw(request: InferRequest): boolean {
    this.#hurry();
    const index = this.open.indexOf(request);
    if (index >= 0) {
      this.open.splice(index, 1);
      this.#closing.change(null);
    }
    return index >= 0;
  }

  /** The worker takes the open batch. */
  seal(): void {
    if (this.running.length > 0 || this.open.length === 0) return;
    this.running = this.open;
    this.open = [];
    this.sealed.push(rowsOf(this.running));
    this.reasons.push(this.#closing.reason);
  }

  #hurry(): void {
    if (this.isQuick) this.seal();
    this.isQuick = false;
  }

  /** The worker ends the batch that runs; whoever drives the test then lets the scheduler run. */
  finish(): void {
    const done = this.running;
    this.running = [];
    this.seal();
    this.onRoom();
    for (const request of done) request.complete(noOutputs, 0, 0);
  }

  /** The worker dies: what it ran fails; what is returned it had not begun. */
  die(): InferRequest[] {
    this.state = 'dead';
    const [ran, returned] = [this.running, this.open];
    this.running = [];
    this.open = [];
    for (const request of ran) request.fail(new ServerError('INTERNAL', 'died'), 'BACKEND');
    return returned;
  }
}

function rowsOf(requests: readonly InferRequest[]): number {
  return requests.reduce((sum, request) => sum + request.rows, 0);
}
