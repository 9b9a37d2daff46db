import type { Way } from '../sequences/channel.js';
import { StepTemplate } from '../sequences/step-template.js';

export interface StepKind {
  readonly start: boolean;
  readonly end: boolean;
  /** With an output of 4 KiB besides. */
  readonly large: boolean;
}

const VALUE_BYTES = 8;

/** Collects steps of the model `soak` until they are sent together. */
export class StepWriter {
  count = 0;
  readonly #way: Way;
  readonly #templates = new Map<string, StepTemplate>();
  readonly #steps: Buffer[] = [];

  constructor(way: Way) {
    this.#way = way;
  }

  add(kind: StepKind, stepId: number, sequenceId: number, value: number): void {
    const template = this.#templateOf(kind);
    const step = Buffer.allocUnsafe(template.length);
    template.write(step, 0, stepId, sequenceId);
    step.writeBigInt64LE(BigInt(value), step.length - VALUE_BYTES);
    this.#steps.push(step);
    this.count++;
  }

  take(): Buffer {
    this.count = 0;
    return Buffer.concat(this.#steps.splice(0));
  }

  #templateOf({ start, end, large }: StepKind): StepTemplate {
    const key = `${start} ${end} ${large}`;
    let template = this.#templates.get(key);
    if (template === undefined) {
      const inputs = [{ name: 'INPUT', datatype: 'INT64', shape: [1, 1], bytes: new Uint8Array(VALUE_BYTES) }];
      const outputs = large ? ['OUTPUT', 'LARGE'] : ['OUTPUT'];
      template = new StepTemplate(this.#way, { model: 'soak', flags: { start, end }, inputs, outputs });
      this.#templates.set(key, template);
    }
    return template;
  }
}
