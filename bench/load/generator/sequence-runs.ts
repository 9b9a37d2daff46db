import type { PreparedRequest, PreparedStep, PreparedStreams, StepPlace } from '../encode/prepared-request.js';
import { Random } from '../random.js';

export interface SequenceSettings {
  /** Of an open load: sequences at a time. */
  readonly alive: number;
  /** Steps; 0 = as many as its stream has. */
  readonly length: number;
  readonly lengthVariationPercent: number;
  /** Ids are given in turn, from the first again after the last. */
  readonly firstId: number;
  readonly lastId: number;
  readonly seed: number;
}

/** What a place sends: always the next step of all streams, or sequence after sequence. */
export interface StepSource {
  /** A source that takes part in no sequence has one run for all. */
  begin(): StepRun;
}

/** The steps that one place sends, one after another. */
export interface StepRun {
  /** 0 = no sequence. */
  readonly sequenceId: number;
  /** Takes the next step. With `ends` it is the last, whatever was planned. */
  next(ends: boolean): PreparedStep;
  /** Of the step that `next` gave. */
  readonly request: PreparedRequest;
  /** That step is the last. */
  readonly isLast: boolean;
}

/** All steps of all streams in turn, by whoever asks. `nth` of `of` threads begins at its own part of them. */
export class StepsInTurn implements StepSource, StepRun {
  readonly sequenceId = 0;
  readonly isLast = false;
  readonly #steps: readonly PreparedStep[];
  #index: number;

  constructor(streams: PreparedStreams, nth: number, of: number) {
    this.#steps = streams.flat();
    this.#index = Math.floor((this.#steps.length * nth) / of);
  }

  begin(): StepRun {
    return this;
  }

  get request(): PreparedRequest {
    return this.#steps[this.#index]!.requests.middle!;
  }

  next(): PreparedStep {
    this.#index = (this.#index + 1) % this.#steps.length;
    return this.#steps[this.#index]!;
  }
}

/** Sequences with ids of their own, whose steps come from the streams in turn. `nth` of `of` threads takes every such id. */
export class Sequences implements StepSource {
  readonly #streams: PreparedStreams;
  readonly #settings: SequenceSettings;
  readonly #stride: number;
  readonly #random: Random;
  #nextId: number;
  #stream: number;

  constructor(streams: PreparedStreams, settings: SequenceSettings, nth: number, of: number) {
    this.#streams = streams;
    this.#settings = settings;
    this.#stride = of;
    this.#random = new Random(settings.seed + nth);
    this.#nextId = settings.firstId + nth;
    this.#stream = nth % streams.length;
  }

  begin(): StepRun {
    const { firstId, lastId } = this.#settings;
    const id = this.#nextId;
    this.#nextId += this.#stride;
    // Threads keep apart: each goes on with its own remainder.
    if (this.#nextId > lastId) this.#nextId = firstId + ((id - firstId) % this.#stride);
    const stream = this.#streams[this.#stream]!;
    this.#stream = (this.#stream + this.#stride) % this.#streams.length;
    return new SequenceRun(id, stream, this.#length(stream.length));
  }

  #length(streamLength: number): number {
    const { length, lengthVariationPercent } = this.#settings;
    const usual = length === 0 ? streamLength : length;
    const spread = (usual * lengthVariationPercent) / 100;
    return Math.max(1, Math.round(usual + spread * (2 * this.#random.next() - 1)));
  }
}

class SequenceRun implements StepRun {
  readonly sequenceId: number;
  readonly #stream: readonly PreparedStep[];
  readonly #length: number;
  #sent = 0;
  #place: StepPlace = 'middle';
  #step!: PreparedStep;

  constructor(id: number, stream: readonly PreparedStep[], length: number) {
    this.sequenceId = id;
    this.#stream = stream;
    this.#length = length;
  }

  get isLast(): boolean {
    return this.#place === 'last' || this.#place === 'only';
  }

  next(ends: boolean): PreparedStep {
    const isFirst = this.#sent === 0;
    this.#step = this.#stream[this.#sent % this.#stream.length]!;
    this.#sent++;
    const isLast = ends || this.#sent >= this.#length;
    this.#place = isFirst ? (isLast ? 'only' : 'first') : isLast ? 'last' : 'middle';
    return this.#step;
  }

  get request(): PreparedRequest {
    return this.#step.requests[this.#place]!;
  }
}
