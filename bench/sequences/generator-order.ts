import type { Way } from './channel.js';
import type { StepForm, StepTensor } from './step-template.js';

/** To the generator: keep one step of each sequence in flight for so long. */
export interface GeneratorOrder extends Pick<StepForm, 'model' | 'outputs'> {
  readonly way: Way;
  readonly port: number;
  readonly connections: number;
  /** Live sequences of each connection. */
  readonly inFlightEach: number;
  readonly seconds: number;
  /** server: steps of a sequence. client: the last output of a step is the last input of the next. none: requests by themselves. */
  readonly state: 'server' | 'client' | 'none';
  readonly inputs: readonly (Omit<StepTensor, 'bytes'> & { readonly base64: string })[];
  /** What the first output of the first step is. Where there is state the nth is n times as much. */
  readonly first: { readonly datatype: 'INT32' | 'FP32'; readonly values: readonly number[] };
  /** Bytes of the outputs behind the first. */
  readonly restBytes: number;
}

/** A sequence ends after so many steps, and another begins. */
export const SEQUENCE_STEPS = 100;
