import { configDataType } from '../config/datatype.js';
import type { ModelConfig, SequenceControl } from '../config/model-config.js';
import { type DataType, elementBytes } from '../types/datatype.js';
import type { SequenceFlags, SequenceId } from '../types/infer.js';

/** One control input of a model with sequence batching: one element, written by the server (fact sheet 5.4). */
export interface ControlSpec {
  readonly name: string;
  readonly kind: SequenceControl['kind'];
  readonly datatype: DataType;
  /** What the element is for false and for true; a correlation id has neither. */
  readonly no: Uint8Array;
  readonly yes: Uint8Array;
}

/** The control inputs in the order of the configuration; none for a model without sequence batching. */
export function controlsOf({ sequence_batching }: ModelConfig): ControlSpec[] {
  const inputs = sequence_batching?.control_input ?? [];
  return inputs.flatMap(({ name, control }) => control.map((one) => controlOf(name, one)));
}

function controlOf(name: string, control: SequenceControl): ControlSpec {
  const { kind, int32_false_true, fp32_false_true, bool_false_true, data_type } = control;
  if (kind === 'CONTROL_SEQUENCE_CORRID') {
    const nothing = new Uint8Array(0);
    return { name, kind, datatype: configDataType(data_type), no: nothing, yes: nothing };
  }
  const spec = (datatype: DataType, [no, yes]: readonly ArrayBufferView[]) => ({
    name,
    kind,
    datatype,
    no: bytesOf(no!),
    yes: bytesOf(yes!),
  });
  if (int32_false_true.length > 0) {
    return spec(
      'INT32',
      int32_false_true.map((value) => Int32Array.of(value)),
    );
  }
  if (fp32_false_true.length > 0) {
    return spec(
      'FP32',
      fp32_false_true.map((value) => Float32Array.of(value)),
    );
  }
  return spec(
    'BOOL',
    bool_false_true.map((value) => Uint8Array.of(value ? 1 : 0)),
  );
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Writes the controls of requests into the arena. */
export class ControlWriter {
  readonly controls: readonly ControlSpec[];
  readonly #arena: Buffer;

  constructor(controls: readonly ControlSpec[], arena: Uint8Array) {
    this.controls = controls;
    this.#arena = Buffer.from(arena.buffer, arena.byteOffset, arena.byteLength);
  }

  /** Bytes of control `nth` of a request: those of a string id differ. */
  bytes(nth: number, { sequenceId }: SequenceFlags): number {
    const { datatype } = this.controls[nth]!;
    return datatype === 'BYTES' ? 4 + Buffer.byteLength(String(sequenceId)) : elementBytes[datatype];
  }

  write(nth: number, flags: SequenceFlags, at: number): void {
    const control = this.controls[nth]!;
    if (control.kind === 'CONTROL_SEQUENCE_CORRID') this.#writeId(control, flags.sequenceId, at);
    else this.#arena.set(isTrue(control.kind, flags) ? control.yes : control.no, at);
  }

  /** Of a filler row, whose memory is zeroed. */
  writeFiller(nth: number, at: number): void {
    this.#arena.set(this.controls[nth]!.no, at);
  }

  /** Little-endian, cut to the width of the tensor. */
  #writeId({ datatype }: ControlSpec, id: SequenceId, at: number): void {
    const arena = this.#arena;
    if (datatype === 'BYTES') {
      arena.writeUInt32LE(arena.write(String(id), at + 4), at);
      return;
    }
    const exact = typeof id === 'number' ? id : BigInt(id);
    const low = typeof exact === 'number' ? exact >>> 0 : Number(exact & 0xffff_ffffn);
    arena.writeUInt32LE(low, at);
    if (elementBytes[datatype] === 4) return;
    const high = typeof exact === 'number' ? Math.floor(exact / 2 ** 32) : Number((exact >> 32n) & 0xffff_ffffn);
    arena.writeUInt32LE(high, at + 4);
  }
}

function isTrue(kind: SequenceControl['kind'], { sequenceStart, sequenceEnd }: SequenceFlags): boolean {
  if (kind === 'CONTROL_SEQUENCE_START') return sequenceStart;
  return kind === 'CONTROL_SEQUENCE_END' ? sequenceEnd : true;
}
