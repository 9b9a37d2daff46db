import type { Log } from '../base/log.js';
import type { Arena, SlotOwner } from '../memory/arena.js';
import type { CustomMetric } from '../telemetry/custom-metrics.js';
import type { ServerError } from '../types/errors.js';
import type { OutputForm } from './batch-outputs.js';
import type { CallReply, CallsMessage } from './call-protocol.js';
import type { FromWorker, LogMessage, ToWorker, WorkerEvent } from './channel-protocol.js';
import { DecoupledAnswers } from './decoupled-answers.js';
import type { CallSession } from './instance.js';
import type { BatchRecord } from './open-batches.js';
import type { InferRequest, RequestRunner } from './request.js';

/** Whose channel it is. */
export interface ChannelOwner {
  readonly model: string;
  readonly instance: string;
  readonly maxEntries: number;
  /** Its model answers a request any number of times. */
  readonly isDecoupled: boolean;
  readonly arena: Arena;
  readonly form: OutputForm;
  readonly outputOwner: SlotOwner;
  /** The record of a batch that is in the ring; null = it is not, or not any more. */
  recordOf(sequence: number): BatchRecord | null;
  /** The worker has not taken the batch yet. */
  isOpen(sequence: number): boolean;
  /** False = it does not go together with what is there of this name. */
  onMetric(metric: CustomMetric): boolean;
  /** Its code calls other models. */
  openCalls(post: (replies: readonly CallReply[]) => void): CallSession;
  /** A request waits for its answers to be read, or goes on. */
  onStalled(isStalled: boolean): void;
  /** Says something to the worker. */
  post(message: ToWorker): void;
}

/** A request that is in the ring, or will be when its batch is shown to the worker. */
class RingRequest implements RequestRunner {
  readonly request: InferRequest;
  readonly sequence: number;
  readonly index: number;
  readonly #channel: InstanceChannel;

  constructor(channel: InstanceChannel, request: InferRequest, sequence: number, index: number) {
    this.#channel = channel;
    this.request = request;
    this.sequence = sequence;
    this.index = index;
  }

  onCancelled(): void {
    this.#channel.onCancelled(this);
  }

  onRead(): void {}
}

/** The main thread's end of what an instance's worker and it say to each other beside what goes through the ring. */
export class InstanceChannel {
  readonly #owner: ChannelOwner;
  readonly #log: Log;
  /** Null = its model answers once. */
  readonly #answers: DecoupledAnswers | null;
  /** Null = it has called nobody. */
  #calls: CallSession | null = null;
  #isClosed = false;
  readonly #cancelled: RingRequest[] = [];
  #events: WorkerEvent[] = [];
  #willFlush = false;

  constructor(owner: ChannelOwner, log: Log) {
    this.#owner = owner;
    this.#log = log;
    const tell = (event: WorkerEvent) => this.#tell(event);
    this.#answers = owner.isDecoupled ? new DecoupledAnswers({ ...owner, tell }) : null;
  }

  take(message: FromWorker): void {
    if (message.kind === 'log') this.#write(message);
    else if (message.kind === 'metric') this.#addMetric(message);
    else if (message.kind === 'calls') this.#call(message);
    else for (const event of message.events) this.#answers?.take(event);
  }

  /** Entry `index` of a batch is this request now. */
  entered(request: InferRequest, sequence: number, index: number): void {
    request.watch(new RingRequest(this, request, sequence, index));
  }

  /** A batch is not in the ring any more; its requests are told after that. @param isExecuted else they fail, or are queued again */
  left(sequence: number, record: BatchRecord, isExecuted: boolean): void {
    if (isExecuted) this.#answers?.executed(sequence, record);
    else this.#answers?.dropped(sequence, record);
  }

  close(error: ServerError): void {
    this.#isClosed = true;
    this.#calls?.close();
    this.#answers?.close(error);
  }

  /** Its scheduler may take it out of the batch again: that is known when this turn is over. */
  onCancelled(request: RingRequest): void {
    this.#cancelled.push(request);
    this.#flushSoon();
  }

  #call({ events }: CallsMessage): void {
    // What a worker said before it died may be heard after that.
    if (this.#isClosed) return;
    this.#calls ??= this.#owner.openCalls((replies) => this.#owner.post({ kind: 'replies', replies }));
    for (const event of events) this.#calls.take(event, event.kind === 'call' ? this.#runningAs(event.caller) : null);
  }

  /** Null = it is none, or it has its last answer. */
  #runningAs(key: number): InferRequest | null {
    if (this.#answers !== null) return this.#answers.runningAs(key);
    const { maxEntries } = this.#owner;
    const record = this.#owner.recordOf(Math.floor(key / maxEntries));
    return record?.requests[key % maxEntries] ?? null;
  }

  #tell(event: WorkerEvent): void {
    this.#events.push(event);
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#willFlush) return;
    this.#willFlush = true;
    queueMicrotask(this.#flush);
  }

  readonly #flush = (): void => {
    this.#willFlush = false;
    for (const { request, sequence, index } of this.#cancelled.splice(0)) {
      const { maxEntries } = this.#owner;
      const runs = this.#owner.recordOf(sequence)?.requests[index] === request && !this.#owner.isOpen(sequence);
      if (runs) this.#events.push({ kind: 'cancelled', key: sequence * maxEntries + index });
    }
    const events = this.#events;
    if (events.length === 0) return;
    this.#events = [];
    this.#owner.post({ kind: 'events', events });
  };

  #addMetric(metric: CustomMetric): void {
    if (this.#owner.onMetric(metric)) return;
    const text = `metric '${metric.name}' is left out: another instance has it with another type or other bounds`;
    this.#write({ kind: 'log', severity: 'warning', level: 0, text });
  }

  #write({ severity, level, text }: LogMessage): void {
    const { model, instance } = this.#owner;
    const line = `model '${model}', instance '${instance}': ${text}`;
    if (severity === 'verbose') this.#log.verbose(level, line);
    else this.#log[severity](line);
  }
}
