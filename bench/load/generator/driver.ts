import type { ClosedLoad, Load, OpenLoad } from '../load.js';
import type { Answer, Failure, Wire, WireUser } from '../wires/wire.js';
import { type ArrivalTimes, arrivalTimes, shareOf } from './arrivals.js';
import { FreePlaces, hasBegun } from './free-places.js';
import type { Lane, Place } from './lane.js';
import { Lanes, type LanesUser } from './lanes.js';
import type { Material, Part } from './order.js';
import { Pacer } from './pacer.js';
import { partOf, partOfLimit } from './part.js';
import { type PostedWindow, Recorder } from './recorder.js';
import { type SequenceSettings, Sequences, type StepSource, StepsInTurn } from './sequence-runs.js';

export interface DriverOptions {
  readonly material: Material;
  readonly part: Part;
  readonly makeWire: (user: WireUser) => Wire;
  /** null = answers are good that are no errors. */
  readonly check: ((answer: Answer, place: Place) => Failure | null) | null;
  /** Final answers so far at index 0, the good ones of them at index 1; for everybody to see. */
  readonly answered: Int32Array;
  /** The thread does nothing else. */
  readonly mayNap: boolean;
  /** Everything that the limit or the arrivals allow is answered. */
  readonly onExhausted: () => void;
  /** No connection has come about for long. */
  readonly onBroken: (message: string) => void;
}

const GIVE_UP_MS = 10_000;

/**
 * Keeps its part of a load going: gives each free place its next request when the load lets it go. A closed load lets one go whenever one is
 * answered, an open one when it is due; with an open load what is due and finds no free place waits, and nothing is skipped.
 */
export class LoadDriver implements LanesUser {
  readonly #options: DriverOptions;
  readonly #lanes: Lanes;
  readonly #source: StepSource;
  readonly #recorder = new Recorder();
  readonly #pacer: Pacer;
  /** Places with a connection and without a request. */
  readonly #free = new FreePlaces();
  #busy = 0;
  /** Of a closed load; 0 = none is wanted. */
  #concurrency = 0;
  /** Of an open load. */
  #arrivals: OpenArrivals | null = null;
  #mostBusy = 0;
  /** Requests that may still be sent. */
  #allowed = 0;
  #isDraining = false;
  #drained: (() => void) | null = null;

  constructor(options: DriverOptions) {
    this.#options = options;
    const { material, part } = options;
    this.#source = stepSource(material.sequences, material, part);
    this.#lanes = new Lanes(options.makeWire, material.target.slots, this);
    this.#pacer = new Pacer(() => this.#sendDue(), options.mayNap);
  }

  /** Resolves when there are connections enough for the load. Rejects where one cannot be made. */
  provide(load: Load): Promise<void> {
    const places = load.kind === 'closed' ? load.concurrency : this.#mostOf(load.maxInFlight);
    return this.#lanes.provide(partOf(places, this.#options.part));
  }

  /** After `provide`. A load that runs gives way to the new one. @param limit requests; 0 = none */
  begin(load: Load, beginMs: number, limit: number): void {
    if (!this.#isRunning) this.#recorder.begin(performance.now());
    this.#isDraining = false;
    this.#allowed = limit === 0 ? Number.POSITIVE_INFINITY : partOfLimit(limit, load, this.#options.part);
    if (load.kind === 'closed') this.#beginClosed(load);
    else this.#beginOpen(load, beginMs - performance.timeOrigin);
  }

  take(): PostedWindow {
    const nowMs = performance.now();
    return this.#recorder.take(nowMs, this.#backlogAt(nowMs));
  }

  /** Sends nothing new but the last steps of sequences that have begun; resolves when all is answered. */
  async drain(): Promise<PostedWindow> {
    this.#isDraining = true;
    this.#pacer.stop();
    const backlog = this.#backlogAt(performance.now());
    this.#endIdleSequences();
    if (this.#busy > 0) await new Promise<void>((resolve) => (this.#drained = resolve));
    this.#concurrency = 0;
    this.#arrivals = null;
    // A number of requests lasts as long as they do, and not until somebody has seen that there are no more.
    const endMs = this.#allowed === 0 ? this.#recorder.lastMs : performance.now();
    return this.#recorder.take(endMs, backlog);
  }

  close(): void {
    this.#pacer.stop();
    this.#lanes.close();
  }

  onPlaces(places: readonly Place[]): void {
    for (const place of places) this.#free.push(place);
    this.#go();
  }

  onLost(lane: Lane): void {
    this.#free.remove(lane);
    for (const place of lane.places) place.run = null;
    this.#lanes.reopen(lane);
  }

  onRefused(failure: Failure): void {
    this.#recorder.failed(failure, performance.now());
    if (this.#lanes.downMs > GIVE_UP_MS) this.#options.onBroken(failure.message);
  }

  onAnswer(place: Place, answer: Answer): void {
    if (place.isAside) {
      if (answer.isFinal) this.#endAside(place);
      return;
    }
    const nowMs = performance.now();
    const failure = answer.failure ?? this.#options.check?.(answer, place) ?? null;
    if (failure !== null) place.failure ??= failure;
    else if (!answer.isEmpty) this.#noteResponse(place, answer, nowMs);
    if (answer.isFinal) this.#end(place, nowMs);
  }

  get #isRunning(): boolean {
    return this.#concurrency > 0 || this.#arrivals !== null;
  }

  /** Requests that are due and have not left. */
  #backlogAt(nowMs: number): number {
    return Math.min(this.#arrivals?.dueBy(nowMs) ?? 0, this.#allowed);
  }

  #beginClosed({ concurrency }: ClosedLoad): void {
    this.#pacer.stop();
    this.#arrivals = null;
    this.#concurrency = partOf(concurrency, this.#options.part);
    this.#go();
  }

  #beginOpen({ arrivals, maxInFlight }: OpenLoad, beginMs: number): void {
    this.#concurrency = 0;
    this.#mostBusy = partOf(this.#mostOf(maxInFlight), this.#options.part);
    this.#arrivals = new OpenArrivals(
      () => shareOf(arrivalTimes(arrivals), this.#options.part.nth, this.#options.part.of),
      beginMs,
    );
    this.#go();
  }

  /** Sequences send a step at a time, and so many are alive. */
  #mostOf(maxInFlight: number): number {
    return Math.min(maxInFlight, this.#options.material.sequences?.alive ?? maxInFlight);
  }

  /** Sends whatever the load lets go. */
  #go(): void {
    if (this.#isDraining) return;
    if (this.#arrivals !== null) this.#sendDue();
    else this.#fillUp();
    this.#noteExhausted();
  }

  #fillUp(): void {
    while (this.#mayGoOn) {
      const place = this.#free.take(true);
      if (place === null) return;
      this.#sendNow(place);
    }
  }

  #sendNow(place: Place): void {
    const nowMs = performance.now();
    this.#allowed--;
    this.#send(place, nowMs, nowMs);
  }

  #sendDue(): void {
    const arrivals = this.#arrivals;
    if (arrivals === null || this.#isDraining) return;
    let nowMs = performance.now();
    while (arrivals.nextMs <= nowMs && this.#allowed > 0) {
      const place = this.#free.take(this.#busy + this.#free.begun < this.#mostBusy);
      if (place === null) break;
      this.#allowed--;
      this.#send(place, arrivals.take(), nowMs);
      nowMs = performance.now();
    }
    if (arrivals.nextMs > nowMs && this.#allowed > 0) this.#pacer.at(arrivals.nextMs);
    this.#noteExhausted();
  }

  #send(place: Place, dueMs: number, nowMs: number): void {
    if (place.run === null || place.run.isLast) place.run = this.#source.begin();
    place.step = place.run.next(false);
    place.dueMs = dueMs;
    place.answeredMs = 0;
    place.failure = null;
    this.#busy++;
    place.lane.send(place);
    this.#recorder.sent(dueMs, nowMs, performance.now());
  }

  #noteResponse(place: Place, answer: Answer, nowMs: number): void {
    this.#recorder.answered(answer.firstByteMs, nowMs);
    if (this.#options.material.target.isDecoupled) {
      if (place.answeredMs === 0) this.#recorder.firstResponse(nowMs - place.dueMs);
      else this.#recorder.nextResponse(nowMs - place.answeredMs);
    }
    place.answeredMs = nowMs;
  }

  #end(place: Place, nowMs: number): void {
    this.#busy--;
    this.#options.answered[0]!++;
    const { failure } = place;
    if (failure === null) {
      this.#options.answered[1]!++;
      this.#recorder.succeeded(nowMs - place.dueMs, nowMs);
      if (place.run!.isLast) this.#recorder.sequenceEnded();
      this.#afterAnswer(place);
    } else {
      this.#recorder.failed(failure, nowMs);
      // The connection may be about to be lost, and the sequence with it.
      setImmediate(() => this.#afterFailure(place));
    }
  }

  #endAside(place: Place): void {
    this.#busy--;
    // Whatever became of it, it is over.
    place.isAside = false;
    place.run = null;
    setImmediate(() => this.#afterFailure(place));
  }

  #afterFailure(place: Place): void {
    // Nobody knows in which state the sequence is; its last step frees the place that the server keeps for it.
    if (place.lane.isOpen && hasBegun(place)) this.#sendLast(place);
    else if (place.lane.isOpen) this.#afterAnswer(place);
    else if (this.#isDraining) this.#noteDrained();
    else this.#noteExhausted();
  }

  #afterAnswer(place: Place): void {
    if (this.#isDraining && hasBegun(place)) {
      this.#sendLast(place);
      return;
    }
    if (!this.#isDraining && this.#mayGoOn) {
      this.#sendNow(place);
      return;
    }
    this.#free.push(place);
    if (this.#isDraining) this.#noteDrained();
    else if (this.#arrivals !== null) this.#sendDue();
    else this.#noteExhausted();
  }

  /** Of a closed load: what was answered goes on where it was, so that no more sequences are alive than are asked for. */
  get #mayGoOn(): boolean {
    return this.#busy < this.#concurrency && this.#allowed > 0;
  }

  /** So that the server forgets the sequence: no part of the load, and of no figure. */
  #sendLast(place: Place): void {
    place.step = place.run!.next(true);
    place.isAside = true;
    this.#busy++;
    place.lane.send(place);
  }

  /** Sequences that wait for their next step get their last one. */
  #endIdleSequences(): void {
    for (let rest = this.#free.begun; rest > 0; rest--) this.#sendLast(this.#free.take(false)!);
  }

  #noteDrained(): void {
    if (this.#busy > 0) return;
    this.#drained?.();
    this.#drained = null;
  }

  #noteExhausted(): void {
    const isOver = this.#allowed === 0 || this.#arrivals?.nextMs === Number.POSITIVE_INFINITY;
    if (isOver && this.#busy === 0 && this.#isRunning) this.#options.onExhausted();
  }
}

function stepSource(sequences: SequenceSettings | null, { streams }: Material, { nth, of }: Part): StepSource {
  return sequences === null ? new StepsInTurn(streams, nth, of) : new Sequences(streams, sequences, nth, of);
}

/** The times of an open load on the clock of this thread. */
class OpenArrivals {
  nextMs: number;
  readonly #beginMs: number;
  readonly #times: ArrivalTimes;
  /** Runs ahead of `#times`, to count what waits. */
  readonly #ahead: ArrivalTimes;
  #aheadMs: number;
  #taken = 0;
  #due = 0;

  constructor(times: () => ArrivalTimes, beginMs: number) {
    this.#beginMs = beginMs;
    this.#times = times();
    this.#ahead = times();
    this.nextMs = beginMs + this.#times();
    this.#aheadMs = beginMs + this.#ahead();
  }

  take(): number {
    const dueMs = this.nextMs;
    this.nextMs = this.#beginMs + this.#times();
    this.#taken++;
    return dueMs;
  }

  /** Requests that are due and not taken. */
  dueBy(nowMs: number): number {
    while (this.#aheadMs <= nowMs) {
      this.#due++;
      this.#aheadMs = this.#beginMs + this.#ahead();
    }
    return this.#due - this.#taken;
  }
}
