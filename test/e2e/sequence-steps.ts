import { encodeRequest } from '../protocols/grpc/twin.js';
import type { RawAnswer } from '../protocols/http/raw-client.js';
import { ask, askJson, get, type HttpRequest, infer, outputsOf } from './requests.js';
import type { ServerProcess } from './server.js';

export type Id = number | string | bigint;

export interface StepOptions {
  /** s = START, e = END. */
  readonly flags?: string;
  readonly timeoutUs?: number;
  readonly inputs?: readonly number[];
}

/** One step of a sequence with the input INPUT. */
export function step(
  model: string,
  id: Id,
  { flags = '', timeoutUs = 0, inputs = [7] }: StepOptions = {},
): HttpRequest {
  const parameters = {
    sequence_id: typeof id === 'bigint' ? 'BIG' : id,
    sequence_start: flags.includes('s'),
    sequence_end: flags.includes('e'),
    timeout: timeoutUs,
    binary_data_output: true,
  };
  const tensor = { name: 'INPUT', datatype: 'INT32' as const, shape: [1, inputs.length], data: inputs };
  const request = infer(model, [tensor], { head: { parameters } });
  // JSON.stringify cannot write it.
  return { ...request, body: Buffer.from(request.body.toString().replace('"BIG"', String(id))) };
}

/** The same as a message of gRPC. */
export function stepMessage(
  model: string,
  id: Id,
  { flags = '', timeoutUs = 0, inputs = [7] }: StepOptions = {},
): Buffer {
  return encodeRequest({
    model_name: model,
    parameters: {
      sequence_id:
        typeof id === 'string' ? { string_param: id } : { int64_param: String(BigInt.asIntN(64, BigInt(id))) },
      sequence_start: { bool_param: flags.includes('s') },
      sequence_end: { bool_param: flags.includes('e') },
      ...(timeoutUs > 0 ? { timeout: { int64_param: String(timeoutUs) } } : {}),
    },
    inputs: [{ name: 'INPUT', datatype: 'INT32', shape: [1, inputs.length] }],
    raw_input_contents: [Buffer.from(Int32Array.from(inputs).buffer)],
  });
}

export function errorOf({ status, body }: RawAnswer): string {
  return `${status} ${(JSON.parse(body.toString()) as { error: string }).error}`;
}

/** What is said of the sequence of an answer of the sequence_* models. */
export function sequenceOutputs(answer: RawAnswer) {
  const { FLAGS, ROW, ROWS, READY_ROWS } = outputsOf(answer);
  return { flags: FLAGS, row: ROW![0], rows: ROWS![0], ready: READY_ROWS![0] };
}

export interface SequencesView {
  readonly strategy: string;
  readonly slots_per_instance: number;
  readonly live: readonly Record<string, unknown>[];
  readonly ended: readonly Record<string, unknown>[];
}

export function viewOf(server: ServerProcess, model: string): Promise<SequencesView> {
  return askJson(server.httpPort, get(`/v2/models/${model}/sequences`)) as Promise<SequencesView>;
}

export function askStep(server: ServerProcess, ...parameters: Parameters<typeof step>): Promise<RawAnswer> {
  return ask(server.httpPort, step(...parameters));
}
