import type { Instance, InstanceEvents, InstanceState } from '../../src/backends/instance.js';
import type { InstanceSpec } from '../../src/backends/instance-spec.js';
import type { InferRequest } from '../../src/backends/request.js';
import type { Arena } from '../../src/memory/arena.js';

/** An instance without a thread: it begins whatever it is given, and the test plays what becomes of it. */
export class PuppetWorker implements Instance {
  readonly name = 'puppet';
  readonly events: InstanceEvents;
  readonly isIdle = true;
  readonly canBegin = true;
  readonly openRows = 0;
  readonly openKey = '';
  state: InstanceState = 'starting';
  /** Begun, and not said to be over by the test. */
  readonly running: InferRequest[] = [];

  constructor(spec: PuppetSpec, _arena: Arena, events: InstanceEvents) {
    this.events = events;
    spec.onMade(this);
  }

  async start(): Promise<void> {
    this.state = 'serving';
    this.events.onState(this as never, '');
  }

  async stop(): Promise<void> {
    this.state = 'stopped';
    this.events.onState(this as never, '');
  }

  begin(requests: readonly InferRequest[], count: number): boolean {
    this.running.push(...requests.slice(0, count));
    return true;
  }

  noteClosing(): void {}

  grow(): boolean {
    return false;
  }

  replace(): boolean {
    return false;
  }

  withdraw(): boolean {
    return false;
  }
}

/** What stands in for the specification of a thread. */
export type PuppetSpec = InstanceSpec & { onMade(worker: PuppetWorker): void };

/** For `vi.mock` of backends/worker-instance.js. */
export { PuppetWorker as WorkerInstance };
