import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** To a limit that is a server, as its first message. */
export type LimitServerOrder =
  /** Read the body, send this answer, after so many milliseconds; left out or 0 = at once. */
  | {
      readonly kind: 'fixed';
      readonly headers: readonly string[];
      readonly bodyBase64: string;
      readonly delayMs?: number;
    }
  /** Copy the body once into shared memory, send it back from there. */
  | { readonly kind: 'copy'; readonly headers: readonly string[] }
  /** Run the model of this file once per request. */
  | { readonly kind: 'model'; readonly modelFile: string };

export interface Listening {
  readonly port: number;
}

/** To the bare loop; the first message loads the model. */
export type LoopOrder =
  | { readonly kind: 'load'; readonly modelFile: string; readonly maxBatch: number }
  | { readonly kind: 'run'; readonly seconds: number };

/** The best number of rows per call, once it is known. */
export interface LoopLoaded {
  readonly batch: number;
}

export interface LoopRun {
  readonly rows: number;
  readonly seconds: number;
}

/** A script as its own process; its path is relative to this file. It ends by itself when this process does, because its channel closes. */
export class LimitProcess {
  readonly #child: ChildProcess;
  readonly #script: string;

  constructor(script: string) {
    this.#script = script;
    this.#child = fork(new URL(script, import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Sends one order and waits for its one answer. */
  async ask<Answer>(order: object): Promise<Answer> {
    const settled = new AbortController();
    const { signal } = settled;
    const answer = once(this.#child, 'message', { signal });
    const end = once(this.#child, 'exit', { signal }).then(() => null);
    this.#child.send(order);
    const first = await Promise.race([answer, end]);
    settled.abort();
    if (first === null) throw new Error(`${this.#script} ended before it answered; its own message is above`);
    return first[0] as Answer;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const end = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await end;
  }
}
