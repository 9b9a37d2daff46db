import type { Load } from '../load.js';
import type { Answer, Failure, Wire, WireUser } from '../wires/wire.js';
import { LoadDriver } from './driver.js';
import type { DriverPort, PortUser } from './group.js';
import type { Place } from './lane.js';
import type { Material } from './order.js';
import type { PostedWindow } from './recorder.js';

/** A `LoadDriver` on this thread, beside what it loads. */
export class LocalDriver implements DriverPort {
  readonly #driver: LoadDriver;
  readonly #answered = new Int32Array(2);

  constructor(
    material: Material,
    makeWire: (user: WireUser) => Wire,
    check: ((answer: Answer, place: Place) => Failure | null) | null,
    user: PortUser,
  ) {
    this.#driver = new LoadDriver({
      material,
      part: { nth: 0, of: 1 },
      makeWire,
      check,
      answered: this.#answered,
      mayNap: false,
      onExhausted: () => user.onExhausted(),
      onBroken: (message) => user.onBroken(new Error(message)),
    });
  }

  get answered(): number {
    return this.#answered[0]!;
  }

  get succeeded(): number {
    return this.#answered[1]!;
  }

  provide(load: Load): Promise<void> {
    return this.#driver.provide(load);
  }

  begin(load: Load, beginMs: number, limit: number): void {
    this.#driver.begin(load, beginMs, limit);
  }

  take(): Promise<PostedWindow> {
    return Promise.resolve(this.#driver.take());
  }

  drain(): Promise<PostedWindow> {
    return this.#driver.drain();
  }

  close(): Promise<void> {
    this.#driver.close();
    return Promise.resolve();
  }
}
