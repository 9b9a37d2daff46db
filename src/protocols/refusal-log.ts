import type { ServerLog } from '../base/log.js';
import { noteFailure } from '../core/failure-line.js';
import { asServerError } from '../types/errors.js';
import { findId } from './envelope.js';

/** The lines of requests that are refused before a model has them, and of answers that cannot be written: of all others models tell. */
export class RefusalLog {
  readonly #log: ServerLog;

  constructor(log: ServerLog) {
    this.#log = log;
  }

  /** False = no line is shown: what is only good for one need not be found out. */
  get isOn(): boolean {
    return this.#log.settings.verbose >= 1;
  }

  /** @param model '' = it is not known. @param id '' = it has none, or none that can be made out */
  note(model: string, id: string, error: unknown): void {
    if (this.isOn) noteFailure(this.#log, { model, requestId: id }, 'REFUSED', asServerError(error).message);
  }

  /** The id in a request's JSON, as far as it can be made out; '' where no line is shown. */
  idIn(body: Buffer, begin: number, end: number): string {
    return this.isOn ? findId(body, begin, end) : '';
  }
}
