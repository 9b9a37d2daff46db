import type { Log } from '../base/log.js';
import type { FromWorker, LogMessage } from './channel-protocol.js';

/** The main thread's end of what an instance's worker tells beside what goes through the ring. */
export class InstanceChannel {
  readonly #prefix: string;
  readonly #log: Log;

  constructor({ model, instance }: { readonly model: string; readonly instance: string }, log: Log) {
    this.#prefix = `model '${model}', instance '${instance}': `;
    this.#log = log;
  }

  take(message: FromWorker): void {
    if (message.kind === 'log') this.#write(message);
  }

  #write({ severity, level, text }: LogMessage): void {
    const line = this.#prefix + text;
    if (severity === 'verbose') this.#log.verbose(level, line);
    else this.#log[severity](line);
  }
}
