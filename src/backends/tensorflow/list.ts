import { invalid } from '../../types/errors.js';
import { type Builder, intsOf, type ListFacts, type Value } from './builder.js';
import type { Call } from './call.js';
import { elementType } from './element-type.js';
import { isStatic, merged } from './shapes.js';
import { filled, numbersOf, type Shape } from './tensor.js';

const { INT32, INT64 } = elementType;

/** A list of so many elements of which none is written. */
export function emptyList(type: number, size: Value, element: Shape | null, grows: boolean): Value {
  return { type, shape: element, tensor: null, ints: null, name: '', first: '', list: { size, isEmpty: true, grows } };
}

/** The rows of a value as a list. */
export function listOf(value: Value, facts: Partial<ListFacts> = {}): Value {
  return { ...value, list: { size: null, grows: false, ...facts, isEmpty: false } };
}

/** An input of a node. Throws INVALID_ARGUMENT where it is no list. */
export function listInput(call: Call, index: number): Value & { readonly list: ListFacts } {
  const value = call.input(index);
  if (value.list !== undefined) return { ...value, list: value.list };
  throw invalid(`input ${index} is no list of tensors`);
}

/**
 * A list as one value. What is not written is zeros; sizes of elements that are not known before one is written are 0.
 *
 * @param known what is known of one element beside the list
 */
export function rowsOf(call: Call, value: Value, known: Shape | null = null): Value {
  const { list, ...rows } = value;
  if (list === undefined || !list.isEmpty) return rows;
  const element = merged(value.shape, known);
  if (element === null) throw call.refused('the rank of the elements of a list is not known');
  const count = intsOf(list.size!)?.[0] ?? -1;
  const dims = element.map((dim) => Math.max(dim, 0));
  const whole = count < 0 ? joined(call, vectorOf(call, list.size!), call.int64s(dims)) : call.int64s([count, ...dims]);
  return call.emit('Expand', [call.scalar(0, value.type), whole], value.type, [count, ...element]);
}

/** What is known of the shape of one element; null = not even the rank. */
export function elementOf({ list, shape }: Value): Shape | null {
  return list?.isEmpty === true ? shape : (shape?.slice(1) ?? null);
}

/** How many elements a list has, or rows another value, as TensorFlow says it: INT32 of rank 0. */
export function sizeOf(call: Call, value: Value): Value {
  const size = value.list?.size ?? null;
  if (size !== null) return call.cast(size, INT32);
  const count = countOf(value);
  if (count !== null) {
    return { type: INT32, shape: [], tensor: filled(INT32, count, []), ints: null, name: '', first: '' };
  }
  const sizes = call.emit('Shape', [rowsOf(call, value)], INT64, [-1]);
  const first = call.emit('Gather', [sizes, call.scalar(0, INT64)], INT64, []);
  return call.cast(first, INT32);
}

/** How many elements it has, where that is known; else null. */
function countOf(value: Value): number | null {
  const { list, shape } = value;
  const said = list?.size === null || list === undefined ? null : (intsOf(list.size)?.[0] ?? null);
  const rows = list?.isEmpty === true ? -1 : (shape?.[0] ?? -1);
  return said ?? (rows < 0 ? null : rows);
}

/** The list with one element replaced. The rest of it is copied. */
export function withElement(call: Call, value: Value, index: Value, item: Value, grows: boolean): Value {
  const place = call.emit('Unsqueeze', [item, call.int64s([0])], item.type, item.shape && [1, ...item.shape]);
  // A list of one has no other place.
  if (countOf(value) === 1 && !grows) return listOf(place, value.list);
  const element = merged(elementOf(value), item.shape);
  if (element !== null && contradict(element, item.shape)) {
    throw call.refused(`a list of elements of different shapes: [${element}] and [${item.shape}]`);
  }
  const rows = rowsOf(call, value, item.shape);
  const isFitting = isStatic(rows.shape?.slice(1) ?? null) && !grows;
  const ready = isFitting ? rows : padded(call, rows, item, grows ? index : null);
  const at = call.emit('Reshape', [call.asInt64(index), call.int64s([1, 1])], INT64, [1, 1]);
  const shape = element && [grows ? -1 : (rows.shape?.[0] ?? -1), ...element];
  const result = call.emit('ScatterND', [ready, at, place], value.type, shape);
  return listOf(result, { grows: value.list?.grows ?? false, size: grows ? null : (value.list?.size ?? null) });
}

/** Whether they cannot be of one shape. */
function contradict(a: Shape, b: Shape | null): boolean {
  return b !== null && (a.length !== b.length || a.some((dim, i) => dim >= 0 && b[i]! >= 0 && dim !== b[i]));
}

/** Elements that were not written yet have the size of the first that is. @param index the last that must be there */
function padded(call: Call, rows: Value, item: Value, index: Value | null): Value {
  const sizes = call.emit('Shape', [rows], INT64, [-1]);
  const own = call.emit('Slice', [sizes, call.int64s([0]), call.int64s([1])], INT64, [1]);
  const behind = index === null ? null : call.emit('Add', [vectorOf(call, index), call.int64s([1])], INT64, [1]);
  const count = behind === null ? own : call.emit('Max', [own, behind], INT64, [1]);
  const wanted = joined(call, count, call.emit('Shape', [item], INT64, [-1]));
  const missing = call.emit('Sub', [wanted, sizes], INT64, [-1]);
  const none = call.emit('Mul', [missing, call.int64s([0])], INT64, [-1]);
  return call.emit('Pad', [rows, joined(call, none, missing)], rows.type, null);
}

/** The list with one element more. */
export function pushed(call: Call, value: Value, item: Value): Value {
  const place = call.emit('Unsqueeze', [item, call.int64s([0])], item.type, item.shape && [1, ...item.shape]);
  if (countOf(value) === 0) return listOf(place);
  const rows = rowsOf(call, value, item.shape);
  const ready = isStatic(rows.shape?.slice(1) ?? null) ? rows : padded(call, rows, item, null);
  const element = merged(elementOf(value), item.shape);
  return listOf(call.emit('Concat', [ready, place], value.type, element && [-1, ...element], { axis: 0 }));
}

/** The rows, cut or followed by zeros so that there are as many. */
export function resized(call: Call, rows: Value, size: Value): Value {
  const wanted = vectorOf(call, size);
  const cut = call.emit('Slice', [rows, call.int64s([0]), wanted, call.int64s([0])], rows.type, null);
  const sizes = call.emit('Shape', [cut], INT64, [-1]);
  const own = call.emit('Slice', [sizes, call.int64s([0]), call.int64s([1])], INT64, [1]);
  const missing = call.emit('Sub', [wanted, own], INT64, [1]);
  const pads = [call.emit('Mul', [missing, call.int64s([0])], INT64, [1]), missing] as const;
  const shape = rows.shape && [intsOf(size)?.[0] ?? -1, ...rows.shape.slice(1)];
  return call.emit('Pad', [cut, joined(call, ...pads), '', call.int64s([0])], rows.type, shape);
}

/** Whether these are the places of all its elements, in order. */
export function isWhole(call: Call, value: Value, places: Value): boolean {
  const limit = limitOf(call.builder, places);
  if (limit === null) return false;
  const size = value.list?.size ?? null;
  return typeof limit === 'number' ? countOf(value) === limit : size !== null && size.name === limit;
}

/** Of places that count from 0: how many, or the name of it; null = they do not. */
export function limitOf(builder: Builder, { tensor, name }: Value): number | string | null {
  if (tensor !== null) {
    const isCounting = tensor.dims.length === 1 && numbersOf(tensor).every((number, i) => number === i);
    return isCounting ? tensor.dims[0]! : null;
  }
  const range = builder.maker(name);
  if (range?.op !== 'Range') return null;
  const [start, limit, step] = range.inputs.map((input) => numberOf(builder, input));
  if (start !== 0 || step !== 1) return null;
  return limit ?? range.inputs[1]!;
}

function numberOf(builder: Builder, name: string): number | null {
  const tensor = builder.initializers.get(name);
  return tensor === undefined || tensor.dims.length > 0 ? null : numbersOf(tensor)[0]!;
}

/** One number, of rank 1. */
function vectorOf(call: Call, value: Value): Value {
  const ints = intsOf(value);
  if (value.tensor !== null && ints !== null) return named1(call.int64s(ints as number[]));
  return call.emit('Reshape', [call.asInt64(value), call.int64s([1])], INT64, [1]);
}

function named1(name: string): Value {
  return { type: INT64, shape: [1], tensor: null, ints: null, name, first: '' };
}

/** Sizes one behind the other. */
export function joined(call: Call, ...parts: readonly (Value | string)[]): Value {
  return call.emit('Concat', parts, INT64, [-1], { axis: 0 });
}
