import { bestValues } from '../core/classification.js';
import type { InferResponse } from '../core/infer-response.js';
import { V1Message } from './v1-messages.js';
import type { PreparedV1Reply, V1Plan } from './v1-plan.js';

const NOTHING = new Uint8Array(0);

/** An InferResponseHeader without its id, and the tensors that it speaks of. */
export interface V1Reply {
  readonly header: object;
  /** One for each output of the header, in its order; empty for classes and shared memory. Views, valid until the response is released. */
  readonly parts: readonly Uint8Array[];
}

let headerMessage: V1Message | null = null;

/** The forms of a header. Its id is the last field, and is put behind it (`lineWithId`, ...). */
export function prepareV1Reply(header: object): PreparedV1Reply {
  headerMessage ??= new V1Message('InferResponseHeader');
  return { line: headerMessage.line(header), text: headerMessage.text(header), binary: headerMessage.binary(header) };
}

/** Throws INVALID_ARGUMENT for an output that has no classes. */
export function buildV1Reply(response: InferResponse, { plan, form }: V1Plan): V1Reply {
  const output: object[] = [];
  const parts: Uint8Array[] = [];
  for (let nth = 0; nth < plan.outputs.length; nth++) {
    if (!response.hasOutput(nth)) continue;
    const { classCount, shared } = form.outputs[nth]!;
    const isClassified = classCount > 0;
    output.push(isClassified ? classesOf(response, nth, plan, classCount) : rawOf(response, nth, plan));
    parts.push(isClassified || shared !== null ? NOTHING : response.output(nth).bytes);
  }
  const { name, version } = response.model;
  return { header: { model_name: name, model_version: version, batch_size: form.batchSize, output }, parts };
}

/** True = all answers to its form have the header of this one. */
export function isAlike(response: InferResponse, { model, plan, form }: V1Plan): boolean {
  return (
    response.model === model &&
    response.hasFixedOutputs &&
    !plan.usesRegions &&
    form.outputs.every(({ classCount }) => classCount === 0)
  );
}

function rawOf(response: InferResponse, nth: number, plan: V1Plan['plan']): object {
  const shape = response.outputShape(nth);
  const dims = plan.batchSize > 0 ? shape.slice(1) : shape;
  return { name: nameOf(response, nth), raw: { dims, batch_byte_size: response.outputBytes(nth) } };
}

function classesOf(response: InferResponse, nth: number, plan: V1Plan['plan'], count: number): object {
  const labels = response.labels(nth);
  const rows = plan.batchSize > 0 ? response.rows : null;
  const batch_classes = bestValues(response.output(nth), count, rows).map((best) => ({
    cls: best.map(({ index, value }) => ({
      idx: index,
      value: Math.fround(Number(value)),
      label: labels?.[index] ?? '',
    })),
  }));
  return { name: nameOf(response, nth), batch_classes };
}

function nameOf({ plan }: InferResponse, nth: number): string {
  return plan.head.outputs[nth]!.name;
}

export function lineWithId(line: string, id: number | bigint): string {
  if (id === 0) return line;
  return line === '' ? `id: ${id}` : `${line} id: ${id}`;
}

export function textWithId(text: string, id: number | bigint): string {
  return id === 0 ? text : `${text}id: ${id}\n`;
}

const ID_TAG = 5 << 3;

export function binaryWithId(binary: Uint8Array, id: number | bigint): Uint8Array {
  if (id === 0) return binary;
  const field = [ID_TAG];
  let rest = BigInt(id);
  for (; rest >= 128n; rest >>= 7n) field.push(Number(rest & 0x7fn) | 0x80);
  field.push(Number(rest));
  return Buffer.concat([binary, Buffer.from(field)]);
}
