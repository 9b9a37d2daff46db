import type { InferPlan } from '../../../src/core/check-request.js';
import type { InferHead, ParameterValue } from '../../../src/types/infer.js';
import type { DataSet, Step } from '../data/data-set.js';
import type { PreparedRequest, PreparedStep, PreparedStreams, StepPlace } from '../encode/prepared-request.js';

/** A request that has no bytes: its tensors are handed over as they are. */
export interface InProcessRequest extends PreparedRequest {
  readonly step: Step;
  readonly place: StepPlace;
  /** What its model is asked, but for the id of the sequence. */
  readonly head: InferHead;
  /** Held against its model, when it is first sent; null = it was not yet. */
  checked: CheckedRequest | null;
}

/** `sizes` are the bytes of its inputs. */
export interface CheckedRequest {
  readonly plan: InferPlan;
  readonly sizes: readonly number[];
}

const NO_BYTES = Buffer.alloc(0);
/** Of a head: any id stands for all. */
const SOME_SEQUENCE = 1;
const SEQUENCE_PLACES: readonly StepPlace[] = ['first', 'middle', 'last', 'only'];

type Parameters = Step['parameters'];

/**
 * The requests of a data set.
 * @param hasSequences steps are those of sequences
 * @param parameters of all requests; a step may have others of the same names
 */
export function prepareInProcess(data: DataSet, hasSequences: boolean, parameters: Parameters = {}): PreparedStreams {
  const places: readonly StepPlace[] = hasSequences ? SEQUENCE_PLACES : ['middle'];
  const prepare = (step: Step) => {
    const whole = { ...step, parameters: { ...parameters, ...step.parameters } };
    return prepareStep(whole, places, hasSequences);
  };
  return data.streams.map((steps) => steps.map(prepare));
}

function prepareStep(step: Step, places: readonly StepPlace[], hasSequences: boolean): PreparedStep {
  const requests = places.map((place) => [place, prepareRequest(step, place, hasSequences)] as const);
  return { requests: Object.fromEntries(requests), expected: step.expected };
}

function prepareRequest(step: Step, place: StepPlace, hasSequences: boolean): InProcessRequest {
  return {
    bytes: NO_BYTES,
    idAt: -1,
    sequenceId: hasSequences ? { form: 'digits', at: 0 } : null,
    tensorBytes: step.inputs.reduce((sum, { bytes }) => sum + bytes.length, 0),
    step,
    place,
    head: headOf(step, place, hasSequences),
    checked: null,
  };
}

function headOf(step: Step, place: StepPlace, hasSequences: boolean): InferHead {
  const { priority, timeout, ...others } = step.parameters;
  return {
    id: '',
    priority: numberOf('priority', priority),
    timeoutUs: numberOf('timeout', timeout),
    sequenceId: hasSequences ? SOME_SEQUENCE : 0,
    sequenceStart: hasSequences && (place === 'first' || place === 'only'),
    sequenceEnd: hasSequences && (place === 'last' || place === 'only'),
    inputs: step.inputs.map(({ name, datatype, shape, bytes }) => ({
      name,
      datatype,
      shape,
      source: { kind: 'binary', byteSize: bytes.length },
    })),
    outputs: [],
    binaryOutput: true,
    parameters: new Map(Object.entries(others)),
  };
}

/** Of a parameter that the server itself takes. */
function numberOf(name: string, value: ParameterValue | undefined): number {
  const number = Number(value ?? 0);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new Error(`request parameter '${name}': found '${value}', expected an integer that is not negative`);
}
