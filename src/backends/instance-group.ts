import type { Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import type { Arena } from '../memory/arena.js';
import type { BatchOutputs } from './batch-outputs.js';
import type { Instance, InstanceEvents } from './instance.js';
import type { Gatekeeper, GateOwner, InstanceGate } from './instance-gate.js';
import type { InstanceSpec } from './instance-spec.js';
import type { InferRequest } from './request.js';
import { WorkerInstance } from './worker-instance.js';

const FIRST_RESTART_US = 100_000;
const LAST_RESTART_US = 30_000_000;

/** An instance that died this often without running one batch well is not worth waiting for. */
const HOPELESS_DEATHS = 3;

/** One place in the group: the instance that lives in it now, and how it fared. */
interface Place {
  readonly spec: InstanceSpec;
  instance: WorkerInstance | null;
  /** Null = it needs none. */
  gate: InstanceGate | null;
  /** What the scheduler sees of the instance while it serves. */
  visible: Instance | null;
  /** Deaths since it last ran a batch well. */
  deaths: number;
  cancelRestart: (() => void) | null;
  /** The configuration has it no more. */
  isGone: boolean;
}

/** What the group tells its model; instances' events without the bookkeeping of deaths. */
export type GroupEvents = Omit<InstanceEvents, 'onState' | 'onStalled'> &
  GateOwner & {
    /** Requests cannot be served any more, or can be again: see `isAvailable`. */
    onAvailability(): void;
  };

export interface GroupSurroundings {
  readonly clock: Clock;
  readonly log: Log;
  /** Null or absent = instances begin batches whenever they can. */
  readonly gatekeeper?: Gatekeeper | null;
}

/** All instances of one model version: starts them, restarts with back-off what died, stops them. */
export class InstanceGroup {
  #places: readonly Place[];
  readonly #arena: Arena;
  readonly #events: GroupEvents;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #gatekeeper: Gatekeeper | null;
  #instances: readonly Instance[] = [];
  #stopping = false;
  #restarts = 0;

  constructor(specs: readonly InstanceSpec[], arena: Arena, events: GroupEvents, surroundings: GroupSurroundings) {
    this.#places = specs.map(newPlace);
    this.#arena = arena;
    this.#events = events;
    this.#clock = surroundings.clock;
    this.#log = surroundings.log;
    this.#gatekeeper = surroundings.gatekeeper ?? null;
  }

  /** Those that live now and take work, in the order of the configuration; a new array whenever one comes or goes. */
  get instances(): readonly Instance[] {
    return this.#instances;
  }

  /** Workers that took the place of one that died, and serve; those that did not come up do not count. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Every instance serves: the model is ready. */
  get isHealthy(): boolean {
    return this.#places.every((place) => place.instance?.state === 'serving');
  }

  /** Waiting makes sense: an instance serves, or is about to. */
  get isAvailable(): boolean {
    return this.#places.some((place) => place.instance?.state === 'serving' || place.deaths < HOPELESS_DEATHS);
  }

  /** Starts all instances; rejects with the first one's reason, after the others are stopped again. */
  async start(): Promise<void> {
    this.#giveGates(this.#places);
    const results = await Promise.allSettled(this.#places.map((place) => this.#startPlace(place)));
    const failure = results.find((result) => result.status === 'rejected');
    if (failure === undefined) return;
    await this.stop();
    throw failure.reason;
  }

  /**
   * Starts what these have more than there is, then ends what they have less: who is alike stays. Rejects with the reason of what does not
   * start; everything is as before then.
   */
  async resize(specs: readonly InstanceSpec[]): Promise<void> {
    const left = [...this.#places];
    const places = specs.map((spec) => takeAlike(left, spec) ?? newPlace(spec));
    const fresh = places.filter(({ instance }) => instance === null);
    this.#giveGates(fresh);
    const results = await Promise.allSettled(fresh.map((place) => this.#startPlace(place)));
    const failure = results.find((result) => result.status === 'rejected');
    if (failure !== undefined) {
      await Promise.all(fresh.map(endPlace));
      throw failure.reason;
    }
    this.#places = places;
    this.#instances = servingIn(places);
    this.#events.onAvailability();
    await Promise.all(left.map(endPlace));
  }

  /** Batches that were begun are finished; the scheduler must have been stopped before. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const place of this.#places) place.cancelRestart?.();
    await Promise.all(this.#places.map(stopPlace));
  }

  /** Throws where one could never run. */
  #giveGates(places: readonly Place[]): void {
    const specs = places.map(({ spec }) => spec);
    const gates = this.#gatekeeper?.gatesFor(specs, this.#events);
    gates?.forEach((gate, nth) => {
      places[nth]!.gate = gate;
    });
  }

  async #startPlace(place: Place): Promise<void> {
    const instance = new WorkerInstance(place.spec, this.#arena, this.#eventsOf(place), this.#log);
    place.instance = instance;
    await instance.start();
    if (this.#stopping || place.isGone) await instance.stop();
  }

  #eventsOf(place: Place): InstanceEvents {
    return {
      onRoom: () => {
        place.gate?.onBatchEnded();
        this.#events.onRoom();
      },
      onReturned: (requests: readonly InferRequest[]) => this.#events.onReturned(requests),
      onLoaded: async (instance: Instance) => {
        if (!this.#stopping && !place.isGone && !place.spec.passive) await this.#events.onLoaded(instance);
      },
      onExecuted: (outputs: BatchOutputs) => {
        // What is run before it serves proves nothing of what clients send.
        if (place.instance?.state === 'serving') place.deaths = 0;
        this.#events.onExecuted(outputs);
      },
      onMetric: (metric, instance) => this.#events.onMetric(metric, instance),
      onState: (instance) => this.#onState(place, instance),
      onStalled: (isStalled) => place.gate?.onStalled(isStalled),
      openCalls: (post) =>
        place.gate === null ? this.#events.openCalls(post) : place.gate.openCalls(this.#events.openCalls, post),
    };
  }

  #onState(place: Place, instance: Instance): void {
    if (instance.state === 'serving') place.visible = place.gate?.guard(instance) ?? instance;
    else {
      place.visible = null;
      place.gate?.onGone();
    }
    this.#instances = servingIn(this.#places);
    if (instance.state === 'dead') this.#onDeath(place);
    if (instance.state === 'serving') this.#events.onRoom();
    this.#events.onAvailability();
  }

  #onDeath(place: Place): void {
    place.deaths++;
    if (this.#stopping || place.isGone) return;
    const delayUs = Math.min(FIRST_RESTART_US * 2 ** (place.deaths - 1), LAST_RESTART_US);
    this.#log.warning(
      `instance '${place.spec.instance}' of model '${place.spec.model}' restarts in ${delayUs / 1000} ms`,
    );
    place.cancelRestart = this.#clock.after(delayUs, () => void this.#restart(place));
  }

  async #restart(place: Place): Promise<void> {
    place.cancelRestart = null;
    try {
      await this.#startPlace(place);
      if (this.#stopping) return;
      this.#restarts++;
      this.#log.info(`instance '${place.spec.instance}' of model '${place.spec.model}' is back`);
    } catch (error) {
      this.#log.error(
        `instance '${place.spec.instance}' of model '${place.spec.model}' did not restart: ${String(error)}`,
      );
      this.#onDeath(place);
      this.#events.onAvailability();
    }
  }
}

function newPlace(spec: InstanceSpec): Place {
  return { spec, instance: null, gate: null, visible: null, deaths: 0, cancelRestart: null, isGone: false };
}

/** Takes a place of the same kind out of `places`; undefined = there is none, or it is without an instance. */
function takeAlike(places: Place[], { kind }: InstanceSpec): Place | undefined {
  const index = places.findIndex((place) => place.spec.kind === kind && place.instance !== null);
  return index < 0 ? undefined : places.splice(index, 1)[0];
}

async function endPlace(place: Place): Promise<void> {
  place.isGone = true;
  place.cancelRestart?.();
  await stopPlace(place);
}

async function stopPlace(place: Place): Promise<void> {
  await place.instance?.stop();
  place.gate?.close();
}

function servingIn(places: readonly Place[]): Instance[] {
  return places.flatMap(({ visible, spec }) => (visible?.state === 'serving' && !spec.passive ? [visible] : []));
}
