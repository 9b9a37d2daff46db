import { constants } from 'node:os';

/** With which users, supervisors and terminals that are closed end a command. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * How a command gives way to signals: the first ends what it does, and it shows what it has; the second ends the process at once. Whoever
 * leaves something behind removes it on `exit` of the process, which no signal skips meanwhile (but SIGKILL).
 */
export class Interrupt {
  readonly #controller = new AbortController();
  /** Aborted by the first. */
  readonly signal = this.#controller.signal;
  /** As shells have it for the last signal that came; that of Ctrl-C where none has. */
  exitCode = exitCodeOf('SIGINT');

  constructor() {
    for (const name of SIGNALS) process.on(name, this.#onSignal);
  }

  close(): void {
    for (const name of SIGNALS) process.off(name, this.#onSignal);
  }

  /** Ends the process with the code of the signal: what cannot be stopped, such as models that are being loaded, would keep it for long. */
  exit(): never {
    process.exit(this.exitCode);
  }

  readonly #onSignal = (name: NodeJS.Signals): void => {
    this.exitCode = exitCodeOf(name);
    if (this.signal.aborted) this.exit();
    this.#controller.abort();
  };
}

function exitCodeOf(name: NodeJS.Signals): number {
  return 128 + constants.signals[name];
}
