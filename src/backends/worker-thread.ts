import { MessageChannel } from 'node:worker_threads';
import type { Piscina } from 'piscina';
import { asServerError } from '../types/errors.js';
import { threadStock } from './thread-stock.js';
import type { InstanceInit, WorkerMessage } from './worker-protocol.js';

/** The thread of one life of an instance: a pool of one, whose only task is that life. */
export class WorkerThread {
  readonly #file: string;
  readonly #pool: Piscina;
  #hasEndedWell = false;
  /** Resolves with the reason when the thread is done, however it ended; set by `start`. */
  life: Promise<string> = Promise.resolve('');

  /** @param file the worker's entry point, which exports `runInstance` */
  constructor(file: string) {
    this.#file = file;
    this.#pool = threadStock.take(file);
  }

  /** The worker's one message, or that it ended without. */
  async start(init: Omit<InstanceInit, 'port'>): Promise<WorkerMessage> {
    const { port1, port2 } = new MessageChannel();
    const message = new Promise<WorkerMessage>((resolve) => port1.once('message', resolve));
    const run: Promise<unknown> = this.#pool.run({ ...init, port: port2 }, { transferList: [port2] });
    this.life = run.then(
      () => {
        this.#hasEndedWell = true;
        return 'its worker ended';
      },
      (error: Error) => deathText(error),
    );
    const early = run.then(
      (): WorkerMessage => ({ kind: 'failed', code: 'INTERNAL', message: 'the worker ended while loading' }),
      (error: Error): WorkerMessage => ({ kind: 'failed', code: 'INTERNAL', message: deathText(error) }),
    );
    const first = await Promise.race([message, early]);
    port1.close();
    return first;
  }

  /** Ends the thread wherever it is. */
  async kill(): Promise<void> {
    await Promise.all(this.#pool.threads.map((thread) => thread.terminate()));
  }

  /** Resolves when the thread is done: the next instance may have it, unless it died. */
  async close(): Promise<void> {
    await this.life;
    if (this.#hasEndedWell) threadStock.giveBack(this.#file, this.#pool);
    else await this.#pool.destroy();
  }
}

function deathText(error: Error): string {
  return asServerError(error).message;
}
