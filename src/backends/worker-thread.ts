import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Piscina } from 'piscina';
import { asServerError } from '../types/errors.js';
import type { ThreadNeeds } from './backend.js';
import type { FromWorker, ToWorker } from './channel-protocol.js';
import { newPool, threadStock } from './thread-stock.js';
import type { InstanceInit, WorkerMessage } from './worker-protocol.js';

/** Who is told what the worker says beside the first that it must say. */
export interface Listener {
  take(message: FromWorker): void;
}

/** The thread of one life of an instance: a pool of one, whose only task is that life. */
export class WorkerThread {
  readonly #file: string;
  readonly #needs: ThreadNeeds;
  readonly #pool: Piscina;
  #port: MessagePort | null = null;
  #hasEndedWell = false;
  /** Resolves with the reason when the thread is done, however it ended; set by `start`. */
  life: Promise<string> = Promise.resolve('');

  /** @param file the worker's entry point, which exports `runInstance` */
  constructor(file: string, needs: ThreadNeeds) {
    this.#file = file;
    this.#needs = needs;
    this.#pool = needs.isFresh ? newPool(file, needs.limits) : threadStock.take(file);
  }

  /** That the worker is ready, or why it never will be. */
  async start(init: Omit<InstanceInit, 'port'>, listener: Listener): Promise<WorkerMessage> {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const message = new Promise<WorkerMessage>((resolve) => {
      port1.on('message', (said: WorkerMessage | FromWorker) => {
        if (said.kind === 'ready' || said.kind === 'failed') resolve(said);
        else listener.take(said);
      });
    });
    const run: Promise<unknown> = this.#pool.run({ ...init, port: port2 }, { transferList: [port2] });
    this.life = run.then(
      () => {
        this.#hasEndedWell = true;
        return 'its worker ended';
      },
      (error: Error) => deathText(error),
    );
    const early = this.life.then((reason) => failed(this.#hasEndedWell ? 'the worker ended while loading' : reason));
    const first = await this.#inTime(Promise.race([message, early]));
    port1.unref();
    return first;
  }

  post(message: ToWorker): void {
    this.#port?.postMessage(message);
  }

  /** Ends the thread wherever it is. */
  async kill(): Promise<void> {
    await Promise.all(this.#pool.threads.map((thread) => thread.terminate()));
    // A thread that had not begun with its task yet is followed by another one, which would.
    await this.#pool.destroy();
  }

  /** Resolves when the thread is done: the next instance may have it, unless it died. */
  async close(): Promise<void> {
    await this.life;
    if (this.#hasEndedWell && !this.#needs.isFresh) {
      this.#port?.close();
      threadStock.giveBack(this.#file, this.#pool);
    } else {
      // Closes the port when what was said on it has been heard.
      await this.#pool.destroy();
    }
  }

  async #inTime(first: Promise<WorkerMessage>): Promise<WorkerMessage> {
    const { startTimeoutMs } = this.#needs;
    if (startTimeoutMs === 0) return first;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<WorkerMessage>((resolve) => {
      timer = setTimeout(() => {
        void this.kill();
        resolve(failed(`the model was not ready within ${startTimeoutMs / 1000} s`));
      }, startTimeoutMs);
    });
    return Promise.race([first, late]).finally(() => clearTimeout(timer));
  }
}

function failed(message: string): WorkerMessage {
  return { kind: 'failed', code: 'INTERNAL', message };
}

function deathText(error: Error): string {
  return asServerError(error).message;
}
