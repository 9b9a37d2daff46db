import type { PreparedRequest } from '../../../../bench/load/encode/prepared-request.js';
import { openWire } from '../../../../bench/load/wires/open-wire.js';
import type { Answer, Failure, Wire, WireTarget, WireUser } from '../../../../bench/load/wires/wire.js';

/** An answer, kept: its bytes are a copy. */
export interface Kept extends Omit<Answer, 'bytes' | 'start' | 'end'> {
  readonly slot: number;
  readonly body: Buffer;
}

/** Opens a wire and keeps what it tells. */
export class Recorder implements WireUser {
  readonly answers: Kept[] = [];
  readonly closed: Failure[] = [];
  readonly wire: Wire;
  /** Called behind each answer that was kept, in the call of the wire. */
  after: (answer: Kept) => void = () => {};
  #onChange: () => void = () => {};

  constructor(target: Partial<WireTarget>, create = openWire) {
    this.wire = create({ ...defaults, ...target }, this);
  }

  static async open(target: Partial<WireTarget>): Promise<Recorder> {
    const recorder = new Recorder(target);
    await recorder.wire.open();
    return recorder;
  }

  onAnswer(slot: number, { bytes, start, end, ...answer }: Answer): void {
    const kept = { ...answer, slot, body: Buffer.from(bytes.subarray(start, end)) };
    this.answers.push(kept);
    this.after(kept);
    this.#onChange();
  }

  onClosed(failure: Failure): void {
    this.closed.push(failure);
    this.#onChange();
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => (this.#onChange = resolve));
  }

  /** Sends in slot 0 and resolves with the answer. */
  async ask(request: PreparedRequest, sequenceId = 0): Promise<Kept> {
    const count = this.answers.length;
    this.wire.send(0, request, sequenceId);
    await this.until(() => this.answers.length > count);
    return this.answers[count]!;
  }
}

const defaults: WireTarget = {
  protocol: 'http',
  host: '127.0.0.1',
  port: 0,
  tls: null,
  headers: [],
  path: '/v2/models/simple/infer',
  slots: 1,
  timeoutMs: 10_000,
  isDecoupled: false,
};

export function prepared(bytes: Buffer, places: Partial<PreparedRequest> = {}): PreparedRequest {
  return { bytes, idAt: -1, sequenceId: null, tensorBytes: 0, ...places };
}
