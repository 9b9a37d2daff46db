import { checkRequest } from '../../../src/core/check-request.js';
import type { AcceptedRequest, InferResponse, Responder } from '../../../src/core/infer-response.js';
import type { SourceReader } from '../../../src/core/request-inputs.js';
import type { Arena, Slot } from '../../../src/memory/arena.js';
import type { ServerError } from '../../../src/types/errors.js';
import { type Agenda, POISON, type Values } from './fake-step.js';
import type { EnsembleModel } from './random-ensemble.js';

export interface ClientSettings {
  readonly ensemble: EnsembleModel;
  readonly arena: Arena;
  readonly agenda: Agenda;
  /** By input of the ensemble; null = it is left out. */
  readonly given: Values;
  readonly outputs: readonly string[];
  /** Its tensors lie in memory of somebody else. */
  readonly lends: boolean;
  /** It cancels when it gets this answer, counted from 1; 0 = never. */
  readonly leavesAt: number;
}

/** Sends one request to an ensemble, remembers what it got, and complains of what may never happen. */
export class FuzzClient implements Responder, SourceReader {
  readonly answers: Values[] = [];
  error: ServerError | null = null;
  isFinal = false;
  isCancelled = false;
  isLent = false;
  isSent = false;
  readonly settings: ClientSettings;
  #request: AcceptedRequest | null = null;
  #slot: Slot | null = null;

  constructor(settings: ClientSettings) {
    this.settings = settings;
  }

  get isOver(): boolean {
    return this.isFinal || this.error !== null || this.isCancelled;
  }

  send(): void {
    const { ensemble, given, outputs, lends, arena } = this.settings;
    const { served, inputs } = ensemble;
    const sent = inputs.flatMap((name, nth) => (given[nth] === null ? [] : [{ name, rows: given[nth]! }]));
    const plan = checkRequest(served.name, served.tensors, {
      id: '',
      priority: 0,
      timeoutUs: 0,
      sequenceId: 0,
      sequenceStart: false,
      sequenceEnd: false,
      inputs: sent.map(({ name, rows }) => ({
        name,
        datatype: 'INT32',
        shape: served.tensors.maxBatchSize > 0 ? [rows.length, 1] : [1],
        source: { kind: 'binary' as const, byteSize: rows.length * 4 },
      })),
      outputs: outputs.map((name) => ({ name, binary: true, classCount: 0, shared: null })),
      binaryOutput: true,
      parameters: new Map(),
    });
    const sizes = sent.map(({ rows }) => rows.length * 4);
    if (lends) {
      this.isLent = true;
      this.#slot = arena.take(64 * Math.max(1, sent.length))!;
      const sources = sizes.map((bytes, nth) => ({ begin: this.#slot!.offset + 64 * nth, bytes }));
      this.#request = served.admitSources(plan, sources, this, plan.head);
    } else this.#request = served.admit(plan, sizes, this);
    for (const [nth, { rows }] of sent.entries()) arena.words.set(rows, this.#request.inputBegin(nth) / 4);
    this.isSent = true;
    this.#request.submit();
  }

  cancel(): void {
    if (this.isOver) return;
    this.isCancelled = true;
    this.#request!.cancel();
  }

  onResponse(response: InferResponse): void {
    this.#expectOpen();
    if (response.isFinal) this.isFinal = true;
    if (response.isEmpty) {
      response.release();
      return;
    }
    const values = this.#read(response);
    this.answers.push(values);
    if (this.answers.length === this.settings.leavesAt) this.cancel();
    this.settings.agenda.add(() => {
      if (JSON.stringify(this.#read(response)) !== JSON.stringify(values)) throw new Error('an answer was taken away');
      response.release();
    });
  }

  onError(error: ServerError): void {
    this.#expectOpen();
    this.error = error;
  }

  onSourcesRead(): void {
    if (!this.isLent) throw new Error('the tensors of a client were given back twice');
    this.isLent = false;
    const { arena } = this.settings;
    const slot = this.#slot!;
    arena.words.fill(POISON, slot.offset / 4, (slot.offset + slot.bytes) / 4);
    arena.give(slot);
  }

  #expectOpen(): void {
    if (this.isOver) throw new Error('something comes behind the end');
  }

  #read(response: InferResponse): Values {
    return response.plan.outputs.map((_, nth) => {
      if (!response.hasOutput(nth)) return null;
      const begin = response.outputBegin(nth) / 4;
      return [...response.model.arena.words.subarray(begin, begin + response.outputBytes(nth) / 4)];
    });
  }
}
