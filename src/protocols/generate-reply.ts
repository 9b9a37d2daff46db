import type { InferResponse } from '../core/infer-response.js';
import type { ServerError } from '../types/errors.js';
import type { OutputTensor, ParameterValue } from '../types/infer.js';
import { elementCount } from '../types/tensor.js';
import { elementWriter, writeElements, writeParameter } from './json-elements.js';
import { JsonWriter } from './json-writer.js';

/** What is said in one answer. */
export interface GenerateAnswer {
  /** '' = none. */
  readonly id: string;
  readonly model: string;
  readonly version: string;
  readonly parameters: ReadonlyMap<string, ParameterValue> | null;
  readonly outputs: readonly OutputTensor[];
}

const writer = new JsonWriter();

/** A member's value: a tensor, a parameter of the answer, or one of those that every answer has. */
type Member = OutputTensor | ParameterValue;

/** Its tensors are views of the response, valid until it is released. */
export function generateAnswer(response: InferResponse, id: string): GenerateAnswer {
  const { model, plan, parameters } = response;
  const outputs: OutputTensor[] = [];
  for (let nth = 0; nth < plan.outputs.length; nth++) if (response.hasOutput(nth)) outputs.push(response.output(nth));
  return { id, model: model.name, version: String(model.version), parameters, outputs };
}

/**
 * One answer as JSON (fact sheet 1.12): a flat object, its names in alphabetical order. Tensors of one element are scalars, all others flat
 * arrays. The result is valid until another text is begun, or where it is long the caller's. Throws INVALID_ARGUMENT for BF16.
 */
export function generateJson(answer: GenerateAnswer): Uint8Array {
  // An error may have left something.
  writer.clear();
  writeAnswer(answer);
  return writer.lend();
}

/** The same as an event of a `text/event-stream`. JSON has no line ends of its own. */
export function generateEvent(answer: GenerateAnswer): Uint8Array {
  writer.clear();
  writer.text('data: ');
  writeAnswer(answer);
  writer.text('\n\n');
  return writer.lend();
}

export function errorEvent(error: ServerError): Uint8Array {
  writer.clear();
  writer.text('data: {"error":');
  writer.string(error.message);
  writer.text('}\n\n');
  return writer.lend();
}

function writeAnswer(answer: GenerateAnswer): void {
  const members = membersOf(answer);
  let before = '{';
  for (const name of [...members.keys()].sort()) {
    writer.text(before);
    writer.string(name);
    writer.text(':');
    writeMember(members.get(name)!);
    before = ',';
  }
  writer.text('}');
}

/** What every answer has comes before parameters, and those before tensors, where names are the same. */
function membersOf({ id, model, version, parameters, outputs }: GenerateAnswer): Map<string, Member> {
  const members = new Map<string, Member>();
  for (const tensor of outputs) members.set(tensor.name, tensor);
  for (const [name, value] of parameters ?? []) members.set(name, value);
  if (id !== '') members.set('id', id);
  members.set('model_name', model);
  members.set('model_version', version);
  return members;
}

function writeMember(member: Member): void {
  if (typeof member !== 'object') {
    writeParameter(writer, member);
    return;
  }
  const isScalar = elementCount(member.shape) === 1;
  if (!isScalar) writer.text('[');
  writeElements(writer, member.bytes, 0, member.bytes.length, elementWriter(member));
  if (!isScalar) writer.text(']');
}
