import { readFile } from 'node:fs/promises';
import { DataError } from './data-error.js';
import type { ParameterValue, Step, TensorData } from './data-set.js';
import type { RowForm, RowTensor } from './input-shapes.js';
import { readTensor } from './json-tensor.js';
import { parseJson } from './json-text.js';
import { shown } from './shown.js';

type Members = ReadonlyMap<string, unknown>;

/** What a path gives: steps of one row each. */
export interface RowStreams {
  /** A plain list of steps: those of all paths are one stream. */
  readonly isFlat: boolean;
  readonly streams: readonly (readonly Step[])[];
}

/** A file in perf_analyzer's format (its docs/input_data.md). Throws DataErrors that name the place. */
export async function readJsonFile(path: string, form: RowForm): Promise<RowStreams> {
  const root = asMembers(parseJson(path, await readFile(path)), path);
  const strange = [...root.keys()].find((name) => name !== 'data' && name !== 'validation_data');
  if (strange !== undefined) {
    throw new DataError(`${path}: expected the members 'data' and 'validation_data', found '${strange}'`);
  }
  const data = new Section(path, 'data', root.get('data'));
  const validation = root.has('validation_data')
    ? new Section(path, 'validation_data', root.get('validation_data'))
    : null;
  validation?.checkAgainst(data);
  const streams = data.streams.map((steps, stream) =>
    steps.map((step, at) => ({
      ...readStep(step, form, data.where(stream, at)),
      expected: validation?.expected(form.outputs, stream, at) ?? null,
    })),
  );
  return { isFlat: data.isFlat, streams };
}

/** `data` or `validation_data`: a list of steps, or a list of streams, which are lists of steps. */
class Section {
  readonly isFlat: boolean;
  readonly streams: readonly (readonly Members[])[];
  readonly #name: string;
  readonly #path: string;

  constructor(path: string, name: string, value: unknown) {
    this.#path = path;
    this.#name = name;
    const list = asList(value, `${path}, '${name}'`, 'steps, or of streams of steps');
    this.isFlat = !list.some(Array.isArray);
    this.streams = (this.isFlat ? [list] : list).map((steps, stream) =>
      asList(steps, this.where(stream, -1), `steps, as other members of '${name}' are arrays`).map((step, at) =>
        asMembers(step, this.where(stream, at)),
      ),
    );
  }

  /** @param step -1 = the stream as a whole */
  where(stream: number, step: number): string {
    const streams = this.isFlat ? [] : [`stream ${stream}`];
    const steps = step < 0 ? [] : [`step ${step}`];
    return [this.#path, `'${this.#name}'`, ...streams, ...steps].join(', ');
  }

  checkAgainst(data: Section): void {
    const form = ({ isFlat, streams }: Section) =>
      isFlat ? `${streams[0]!.length} steps` : `streams of ${streams.map((steps) => steps.length).join(', ')} steps`;
    if (form(this) === form(data)) return;
    throw new DataError(
      `${this.#path}, '${this.#name}': expected ${form(data)}, as 'data' has, found ${form(this)}; a step of which nothing is expected is {}`,
    );
  }

  /** Outputs that are not given are not looked at. */
  expected(outputs: readonly RowTensor[], stream: number, at: number): readonly TensorData[] | null {
    const step = this.streams[stream]![at]!;
    const where = this.where(stream, at);
    checkNames(step, outputs, [], where);
    const given = outputs.filter(({ name }) => step.has(name));
    return given.length === 0 ? null : given.map((output) => readMember(step, output, `${where}, output`));
  }
}

function readStep(step: Members, { inputs }: RowForm, where: string): Omit<Step, 'expected'> {
  // perf_analyzer has `model` for other services, and takes no notice of it here.
  checkNames(step, inputs, ['parameters', 'model'], where);
  const missing = inputs.find(({ name, isOptional }) => !isOptional && !step.has(name));
  if (missing !== undefined) {
    throw new DataError(`${where}: input '${missing.name}' is missing, which is not optional`);
  }
  const given = inputs.filter(({ name }) => step.has(name));
  const hasParameters = step.has('parameters') && !inputs.some(({ name }) => name === 'parameters');
  return {
    inputs: given.map((input) => readMember(step, input, `${where}, input`)),
    parameters: hasParameters ? readParameters(step.get('parameters'), `${where}, 'parameters'`) : {},
  };
}

function readMember(step: Members, tensor: RowTensor, where: string): TensorData {
  return readTensor(step.get(tensor.name), tensor, `${where} '${tensor.name}'`);
}

function checkNames(step: Members, tensors: readonly RowTensor[], others: readonly string[], where: string): void {
  const known = tensors.map(({ name }) => name);
  const strange = [...step.keys()].find((name) => !known.includes(name) && !others.includes(name));
  if (strange === undefined) return;
  const names = known.map((name) => `'${name}'`).join(', ');
  throw new DataError(`${where}: the model has no '${strange}' here, it has ${names}`);
}

function readParameters(value: unknown, where: string): Readonly<Record<string, ParameterValue>> {
  const parameters = asMembers(value, where);
  for (const [name, parameter] of parameters) {
    if (['string', 'number', 'bigint', 'boolean'].includes(typeof parameter)) continue;
    throw new DataError(`${where}, '${name}': expected a string, a number, true or false, found ${shown(parameter)}`);
  }
  return Object.fromEntries(parameters) as Record<string, ParameterValue>;
}

function asMembers(value: unknown, where: string): Members {
  if (value instanceof Map) return value;
  throw new DataError(`${where}: expected an object, found ${shown(value)}`);
}

function asList(value: unknown, where: string, ofWhat: string): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0) return value;
  throw new DataError(`${where}: expected an array of ${ofWhat}, found ${shown(value)}`);
}
