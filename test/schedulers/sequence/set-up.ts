import type { InferRequest } from '../../../src/backends/request.js';
import { silentLog } from '../../../src/base/log.js';
import type { FillerSource } from '../../../src/schedulers/sequence/direct-lane.js';
import {
  SequenceScheduler,
  type SequenceSettings,
  type SequenceStrategy,
} from '../../../src/schedulers/sequence/sequence-scheduler.js';
import { Step } from '../../../src/schedulers/sequence/step.js';
import type { SequenceId } from '../../../src/types/infer.js';
import { HandClock } from '../../fakes/clock.js';
import { PuppetInstance } from '../../fakes/instance.js';
import { FakeRequest } from '../../fakes/request.js';

export const direct = (delayUs = 0, minUtilization = 0): SequenceStrategy => ({
  kind: 'direct',
  policy: { delayUs, minUtilization },
});

export const oldest = (maxRows = 4, delayUs = 0): SequenceStrategy => ({
  kind: 'oldest',
  policy: { maxRows, preferred: [maxRows], delayUs, single: false },
});

export interface SendOptions {
  readonly key?: string;
  readonly timeoutUs?: number;
  readonly rows?: number;
}

/** A scheduler over puppets, with fillers that are requests too. */
export class Bench {
  readonly clock = new HandClock();
  readonly pool: { instances: PuppetInstance[]; isAvailable: boolean } = { instances: [], isAvailable: true };
  readonly scheduler: SequenceScheduler;
  readonly fillers: FakeRequest[] = [];
  readonly warnings: string[] = [];
  hasFillers = true;

  constructor(settings: Partial<SequenceSettings> = {}, instances = 1) {
    const full: SequenceSettings = {
      model: 'm',
      idleUs: 1_000_000,
      maxBacklog: 100,
      slots: 4,
      strategy: direct(),
      kinds: { hasState: true, hasVariableState: false, overwritesState: false, isIterative: false },
      ...settings,
    };
    const fillers: FillerSource = {
      filler: (like) => this.#filler(like),
      release: (filler) => (filler as FakeRequest).end('released'),
    };
    const log = { ...silentLog, warning: (line: string) => void this.warnings.push(line) };
    this.scheduler = new SequenceScheduler(full, this.pool, this.clock, fillers, log);
    this.setInstances(Array.from({ length: instances }, (_, index) => this.instanceOf(`i${index}`, full.slots)));
  }

  instanceOf(name: string, maxRows: number): PuppetInstance {
    const instance = new PuppetInstance(name, maxRows);
    instance.onRoom = () => this.scheduler.run();
    return instance;
  }

  setInstances(instances: PuppetInstance[]): void {
    this.pool.instances = instances;
    this.scheduler.run();
  }

  get instance(): PuppetInstance {
    return this.pool.instances[0]!;
  }

  /** `flags`: s = START, e = END. */
  send(id: SequenceId, flags = '', options: SendOptions = {}): FakeRequest {
    const sequence = { sequenceId: id, sequenceStart: flags.includes('s'), sequenceEnd: flags.includes('e') };
    const request = new FakeRequest(`${id}${flags}`, { ...options, row: 1, sequence });
    this.scheduler.enqueue(request, this.clock.nowUs());
    return request;
  }

  /** The turn of the event loop is over, and workers take what they were given. */
  turn(): void {
    this.clock.advance(0);
    for (const instance of this.pool.instances) instance.seal();
  }

  /** As `turn`, and all that runs ends. */
  finish(): void {
    this.turn();
    for (const instance of [...this.pool.instances]) instance.finish();
    this.turn();
  }

  /** What runs at an instance, by row: names of requests, `-` for fillers. */
  running(index = 0): string {
    return this.pool.instances[index]!.running.map(nameOf).join(' ');
  }

  /** As `running`, of the batch that is open. */
  open(index = 0): string {
    return this.pool.instances[index]!.open.map(nameOf).join(' ');
  }

  live(): string {
    const { live } = this.scheduler.snapshot();
    return live
      .map(({ id, state, instance, place }) => `${id}:${state === 'backlog' ? 'b' : instance}${place}`)
      .join(' ');
  }

  /** Nothing is left of any request: all ended, no timer. */
  get isQuiet(): boolean {
    return (
      this.scheduler.pending === 0 &&
      this.pool.instances.every(({ running, open }) => running.length + open.length === 0)
    );
  }

  #filler(like: InferRequest): InferRequest | null {
    if (!this.hasFillers) return null;
    const filler = new FakeRequest('-', { key: like.batchKey });
    this.fillers.push(filler);
    return filler;
  }
}

function nameOf(request: InferRequest): string {
  return ((request instanceof Step ? request.request : request) as FakeRequest).name;
}
