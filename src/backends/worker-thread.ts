import { MessageChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { asServerError } from '../types/errors.js';
import type { InstanceInit, WorkerMessage } from './worker-protocol.js';

/** The thread of one life of an instance: a pool of one, whose only task is that life. */
export class WorkerThread {
  readonly #pool: Piscina;
  /** Resolves with the reason when the thread is done, however it ended; set by `start`. */
  life: Promise<string> = Promise.resolve('');

  /** @param file the worker's entry point, which exports `runInstance` */
  constructor(file: string) {
    this.#pool = new Piscina({
      filename: file,
      name: 'runInstance',
      minThreads: 0,
      maxThreads: 1,
      atomics: 'disabled',
    });
    this.#pool.on('error', () => {});
  }

  /** The worker's one message, or that it ended without. */
  async start(init: Omit<InstanceInit, 'port'>): Promise<WorkerMessage> {
    const { port1, port2 } = new MessageChannel();
    const message = new Promise<WorkerMessage>((resolve) => port1.once('message', resolve));
    const run: Promise<unknown> = this.#pool.run({ ...init, port: port2 }, { transferList: [port2] });
    this.life = run.then(
      () => 'its worker ended',
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

  /** Gives the pool back; the thread is done. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

function deathText(error: Error): string {
  return asServerError(error).message;
}
