import type { LoadOverrides } from '../repository/overrides.js';
import { asServerError } from '../types/errors.js';
import { type GenerateRequest, parseGenerate as parseGenerateBody } from './generate.js';
import { generateEvent, generateJson } from './generate-reply.js';
import type {
  ArenaTensor,
  Outcome,
  ParsedHead,
  ParseGenerateTask,
  ParseHeadTask,
  ParseTask,
  ReadTask,
  WriteGenerateTask,
  WriteTask,
} from './json-tasks.js';
import { jsonTensorBytes, readJsonTensor } from './json-tensor.js';
import { loadOverrides, parametersOf, readBody } from './load-request.js';
import { parseInferHead } from './v2-json.js';
import { inferResponseHead } from './v2-json-reply.js';

/** Thread entry: `parseInferHead`, and how much room its strings need. */
export function parse({ body, length, sharedMemory }: ParseHeadTask): Outcome<ParsedHead> {
  return outcome(() => {
    const bytes = Buffer.from(body);
    const head = parseInferHead(bytes, 0, length, sharedMemory);
    const stringBytes = head.inputs.map(({ datatype, source, name }) =>
      datatype === 'BYTES' && source.kind === 'json' ? jsonTensorBytes(bytes, source, name) : -1,
    );
    return { head, stringBytes };
  });
}

/** Thread entry: the function of the same name. */
export function parseGenerate({ body, length, model, maxInputBytes }: ParseGenerateTask): Outcome<GenerateRequest> {
  return outcome(() => parseGenerateBody(Buffer.from(body), 0, length, model, maxInputBytes));
}

/** Thread entry: writes JSON tensors to where they belong in the arena. */
export function read({ body, arena, tensors }: ReadTask): Outcome<null> {
  return outcome(() => {
    const bytes = Buffer.from(body);
    const target = new Uint8Array(arena);
    for (const { range, name, datatype, elements, begin } of tensors)
      readJsonTensor(bytes, range, name, datatype, elements, target, begin);
    return null;
  });
}

/** Thread entry: `inferResponseHead` of tensors in the arena; the text is copied to shared memory, which goes back as it is. */
export function write({ id, model, version, arena, outputs, parameters }: WriteTask): Outcome<SharedArrayBuffer> {
  return outcome(() => {
    const tensors = outputs.map((output) => tensorIn(arena, output));
    return shared(inferResponseHead(id, model, version, tensors, parameters));
  });
}

/** Thread entry: `generateJson` or `generateEvent`, as `write`. */
export function writeGenerate({ answer, form, arena, outputs }: WriteGenerateTask): Outcome<SharedArrayBuffer> {
  return outcome(() => {
    const whole = { ...answer, outputs: outputs.map((output) => tensorIn(arena, output)) };
    return shared(form === 'json' ? generateJson(whole) : generateEvent(whole));
  });
}

/** Thread entry: a load request with files. */
export function readLoad({ body, length }: ParseTask): Outcome<LoadOverrides> {
  return outcome(() => loadOverrides(parametersOf(readBody(Buffer.from(body, 0, length)))));
}

function tensorIn<Output extends Omit<ArenaTensor, 'binary'>>(arena: SharedArrayBuffer, output: Output) {
  return { ...output, bytes: new Uint8Array(arena, output.begin, output.length) };
}

function shared(text: Uint8Array): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(text.length);
  new Uint8Array(buffer).set(text);
  return buffer;
}

function outcome<Result>(run: () => Result): Outcome<Result> {
  try {
    return { result: run() };
  } catch (error) {
    const { code, message } = asServerError(error);
    return { error: { code, message } };
  }
}
