import { Worker } from 'node:worker_threads';
import type { Load } from '../load.js';
import type { DriverPort, PortUser } from './group.js';
import type { Material, Part, ThreadCommand, ThreadEvent, ThreadOrder } from './order.js';
import type { PostedWindow } from './recorder.js';

/** A `LoadDriver` on a thread of its own. */
export class ThreadDriver implements DriverPort {
  readonly #worker: Worker;
  readonly #answered = new Int32Array(new SharedArrayBuffer(8));
  readonly #user: PortUser;
  /** Whoever waits for an answer to a command, in the order of the commands. */
  readonly #waiting: { resolve(event: ThreadEvent): void; reject(error: Error): void }[] = [];

  constructor(material: Material, part: Part, user: PortUser) {
    this.#user = user;
    const order: ThreadOrder = { material, part, answered: this.#answered.buffer as SharedArrayBuffer };
    this.#worker = new Worker(new URL('./thread.js', import.meta.url), { workerData: order });
    this.#worker.on('message', (event: ThreadEvent) => this.#take(event));
    this.#worker.on('error', (error) => this.#broke(error));
    this.#worker.on('exit', () => this.#broke(new Error('a thread of the load generator ended')));
  }

  get answered(): number {
    return this.#answered[0]!;
  }

  get succeeded(): number {
    return this.#answered[1]!;
  }

  async provide(load: Load): Promise<void> {
    await this.#ask({ kind: 'provide', load });
  }

  begin(load: Load, beginMs: number, limit: number): void {
    this.#post({ kind: 'begin', load, beginMs, limit });
  }

  take(): Promise<PostedWindow> {
    return this.#askForWindow({ kind: 'take' });
  }

  drain(): Promise<PostedWindow> {
    return this.#askForWindow({ kind: 'drain' });
  }

  async close(): Promise<void> {
    this.#worker.removeAllListeners();
    this.#worker.on('error', () => {});
    const ended = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.#post({ kind: 'close' });
    const timer = setTimeout(() => void this.#worker.terminate(), 1000);
    await ended;
    clearTimeout(timer);
  }

  #post(command: ThreadCommand): void {
    this.#worker.postMessage(command);
  }

  #ask(command: ThreadCommand): Promise<ThreadEvent> {
    this.#post(command);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  async #askForWindow(command: ThreadCommand): Promise<PostedWindow> {
    const event = await this.#ask(command);
    if (event.kind !== 'window') throw new Error(`expected a window, found ${event.kind}`);
    return event.window;
  }

  #take(event: ThreadEvent): void {
    if (event.kind === 'exhausted') this.#user.onExhausted();
    else if (event.kind === 'broken') this.#broke(new Error(event.message));
    else if (event.kind === 'refused') this.#waiting.shift()?.reject(new Error(event.message));
    else this.#waiting.shift()?.resolve(event);
  }

  #broke(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    this.#user.onBroken(error);
  }
}
