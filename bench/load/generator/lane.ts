import type { PreparedStep } from '../encode/prepared-request.js';
import type { Answer, Failure, Wire, WireUser } from '../wires/wire.js';
import type { StepRun } from './sequence-runs.js';

/** Room for one request at a time; written by the driver. Times in the milliseconds of `performance.now()`. */
export class Place {
  readonly lane: Lane;
  readonly slot: number;
  /** What it sends now, and goes on with. */
  run: StepRun | null = null;
  step: PreparedStep | null = null;
  /** What it sends ends a sequence before its time. */
  isAside = false;
  dueMs = 0;
  /** Of its last answer; 0 = there is none yet. */
  answeredMs = 0;
  /** Of the first answer of its request that was not as it should be. */
  failure: Failure | null = null;

  constructor(lane: Lane, slot: number) {
    this.lane = lane;
    this.slot = slot;
  }
}

export interface LaneUser {
  onAnswer(place: Place, answer: Answer): void;
  /** It has no connection: its places are of no use until it is open again. None is busy. */
  onLost(lane: Lane): void;
}

/** A connection and its places. */
export class Lane implements WireUser {
  readonly places: readonly Place[];
  readonly #user: LaneUser;
  readonly #makeWire: (user: WireUser) => Wire;
  #wire: Wire | null = null;
  #isClosed = false;

  constructor(slots: number, makeWire: (user: WireUser) => Wire, user: LaneUser) {
    this.places = Array.from({ length: slots }, (_, slot) => new Place(this, slot));
    this.#makeWire = makeWire;
    this.#user = user;
  }

  get isOpen(): boolean {
    return this.#wire !== null;
  }

  async open(): Promise<void> {
    const wire = this.#makeWire(this);
    await wire.open();
    if (this.#isClosed) wire.close();
    else this.#wire = wire;
  }

  /** Only where `isOpen`. */
  send(place: Place): void {
    const { request, sequenceId } = place.run!;
    this.#wire!.send(place.slot, request, sequenceId);
  }

  onAnswer(slot: number, answer: Answer): void {
    this.#user.onAnswer(this.places[slot]!, answer);
  }

  onClosed(): void {
    this.#wire = null;
    this.#user.onLost(this);
  }

  close(): void {
    this.#isClosed = true;
    this.#wire?.close();
    this.#wire = null;
  }
}
