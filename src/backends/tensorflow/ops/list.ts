import { invalid } from '../../../types/errors.js';
import { constant, intsOf, type Value } from '../builder.js';
import type { Call, OpTable, Translate } from '../call.js';
import { elementType } from '../element-type.js';
import {
  elementOf,
  emptyList,
  isWhole,
  joined,
  limitOf,
  listInput,
  listOf,
  pushed,
  resized,
  rowsOf,
  sizeOf,
  withElement,
} from '../list.js';
import { merged } from '../shapes.js';
import { filled, type Shape } from '../tensor.js';

const { INT32, INT64 } = elementType;

/** An input that says the shape of elements: a number stands for any rank. */
function elementShape(call: Call, index: number): Shape | null {
  const value = call.input(index);
  if (value.shape?.length !== 1) return null;
  const ints = intsOf(value) ?? new Array<null>(Math.max(0, value.shape[0]!)).fill(null);
  return value.shape[0]! < 0 ? null : ints.map((int) => (int === null || int < 0 ? -1 : int));
}

function within(shape: Shape | null, element: Shape | null, count = -1): Shape | null {
  return merged(shape, element && [count, ...element]);
}

function reserve(call: Call): Value {
  return emptyList(call.typeAttribute('element_dtype'), call.input(1), elementShape(call, 0), false);
}

function none(call: Call): Value {
  const zero = constant(filled(INT32, 0, []));
  return emptyList(call.typeAttribute('element_dtype'), zero, elementShape(call, 0), false);
}

/** TensorFlow 1 has a list as a handle that stays and a flow that changes: the flow is the list here. */
function array(call: Call): Value[] {
  const shape = call.attribute('element_shape').shape ?? null;
  const made = emptyList(call.typeAttribute('dtype'), call.input(0), shape, call.flag('dynamic_size'));
  return [made, made];
}

function item(call: Call, list: Value, index: Value, known: Shape | null): Value {
  const rows = rowsOf(call, list, known);
  const shape = merged(rows.shape?.slice(1) ?? null, known);
  return call.emit('Gather', [rows, index], rows.type, shape, { axis: 0 });
}

function gathered(call: Call, list: Value, places: Value, known: Shape | null): Value {
  const rows = rowsOf(call, list, known);
  const shape = within(rows.shape, known);
  if (isWhole(call, list, places)) return { ...rows, shape };
  const count = places.shape?.[0] ?? -1;
  return call.emit('Gather', [rows, places], rows.type, shape && [count, ...shape.slice(1)], { axis: 0 });
}

/** All that are given from the first on are the list itself. */
function scattered(call: Call, list: Value, places: Value, rows: Value): Value {
  const facts = { size: list.list!.size, grows: list.list!.grows };
  if (list.list!.isEmpty && limitOf(call.builder, places) !== null) return listOf(rows, facts);
  if (list.list!.grows) throw call.refused('a list that grows, written at many places at once');
  const element = rows.shape?.slice(1) ?? null;
  if (element?.every((dim) => dim >= 0) !== true) throw call.refused('the size of what is written is not known');
  const before = rowsOf(call, list, element);
  const at = call.emit('Reshape', [call.asInt64(places), call.int64s([-1, 1])], INT64, [-1, 1]);
  const shape = [before.shape?.[0] ?? -1, ...element];
  return listOf(call.emit('ScatterND', [before, at, rows], rows.type, shape), facts);
}

const stack: Translate = (call) => {
  const known = elementShape(call, 1);
  const rows = rowsOf(call, listInput(call, 0), known);
  return { ...rows, shape: within(rows.shape, known, Math.max(-1, call.int('num_elements', -1))) };
};

const setItem: Translate = (call) => {
  const list = listInput(call, 0);
  const grows = call.flag('resize_if_index_out_of_bounds');
  return withElement(call, list, call.input(1), call.input(2), grows);
};

const write: Translate = (call) => {
  const list = listInput(call, 3);
  return withElement(call, list, call.input(1), call.input(2), list.list.grows);
};

const popBack: Translate = (call) => {
  const rows = rowsOf(call, listInput(call, 0), elementShape(call, 1));
  const element = rows.shape?.slice(1) ?? null;
  const last = call.emit('Gather', [rows, call.scalar(-1, INT64)], rows.type, element, { axis: 0 });
  const places = [0, -1, 0].map((place) => call.int64s([place]));
  const count = rows.shape?.[0] ?? -1;
  const shape = element && [count < 1 ? -1 : count - 1, ...element];
  return [listOf(call.emit('Slice', [rows, ...places], rows.type, shape)), last];
};

const resize: Translate = (call) => {
  const list = listInput(call, 0);
  if (list.list.isEmpty) return emptyList(list.type, call.input(1), list.shape, list.list.grows);
  return listOf(resized(call, rowsOf(call, list), call.input(1)), { size: call.input(1) });
};

const scatter: Translate = (call) => {
  const rows = call.input(0);
  const places = limitOf(call.builder, call.input(1));
  const size = intsOf(call.input(3))?.[0] ?? null;
  if (places !== null && size === -1) return listOf(rows);
  if (size === -1) throw call.refused('a list as long as its last place says');
  const list = emptyList(rows.type, call.input(3), elementShape(call, 2), false);
  return scattered(call, list, call.input(1), rows);
};

/** Parts of a value, one behind the other, as elements: all of one length, since a list is one value. */
function parted(call: Call, value: Value, index: number): Value {
  const lengths = call.ints(index, 'lengths');
  const length = lengths[0] ?? 0;
  const other = lengths.find((each) => each !== length);
  if (other !== undefined) throw call.refused(`parts of different lengths: ${length} and ${other}`);
  const rest = call.emitNames('Shape', [value], { start: 1 })[0]!;
  const whole = joined(call, call.int64s([lengths.length, length]), rest);
  const shape = value.shape && [lengths.length, length, ...value.shape.slice(1)];
  return listOf(call.emit('Reshape', [value, whole], value.type, shape, { allowzero: 1 }));
}

/** The elements one behind the other, and their lengths. @param known what is known of one element */
function together(call: Call, list: Value, known: Shape | null): Value[] {
  const length = merged(elementOf(list), known)?.[0] ?? -1;
  if (length < 0) throw call.refused('the lengths of the elements are not known, and may differ');
  const rows = rowsOf(call, list, known);
  const sizes = (start: number, end?: number) =>
    call.emitNames('Shape', [rows], { start, ...(end === undefined ? {} : { end }) })[0]!;
  const count = call.emitNames('ReduceProd', [sizes(0, 2)])[0]!;
  const whole = joined(call, count, sizes(2));
  const size = rows.shape?.[0] ?? -1;
  const shape = rows.shape && [size < 0 ? -1 : size * length, ...rows.shape.slice(2)];
  const value = call.emit('Reshape', [rows, whole], rows.type, shape, { allowzero: 1 });
  return [value, call.emit('Expand', [call.int64s([length]), sizes(0, 1)], INT64, [size])];
}

function behindFirst(rest: Shape | null | undefined): Shape | null {
  return rest ? [-1, ...rest] : null;
}

/** Lists are said to be of some type by nodes that make them. */
const fromTensor: Translate = (call) => {
  const value = call.input(0);
  if (call.rank(0) === 0) throw invalid('a list of the rows of one number');
  const known = elementShape(call, 1);
  return listOf({ ...value, shape: within(value.shape, known) });
};

/** Lists of tensors: of TensorFlow 2, and the arrays of TensorFlow 1. */
export const listOps: OpTable = {
  EmptyTensorList: none,
  TensorArrayConcatV3: (call) =>
    together(call, listInput(call, 1), behindFirst(call.attribute('element_shape_except0').shape)),
  TensorArrayGatherV3: (call) =>
    gathered(call, listInput(call, 2), call.input(1), call.attribute('element_shape').shape ?? null),
  TensorArrayReadV3: (call) => item(call, listInput(call, 2), call.input(1), elementOf(listInput(call, 2))),
  TensorArrayScatterV3: (call) => scattered(call, listInput(call, 3), call.input(1), call.input(2)),
  TensorArraySizeV3: (call) => sizeOf(call, listInput(call, 1)),
  TensorArraySplitV3: (call) => parted(call, call.input(1), 2),
  TensorArrayV3: array,
  TensorArrayWriteV3: write,
  TensorListConcatV2: (call) => together(call, listInput(call, 0), elementShape(call, 1)),
  TensorListFromTensor: fromTensor,
  TensorListGather: (call) => gathered(call, listInput(call, 0), call.input(1), elementShape(call, 2)),
  TensorListGetItem: (call) => item(call, listInput(call, 0), call.input(1), elementShape(call, 2)),
  TensorListLength: (call) => sizeOf(call, listInput(call, 0)),
  TensorListPopBack: popBack,
  TensorListPushBack: (call) => pushed(call, listInput(call, 0), call.input(1)),
  TensorListReserve: reserve,
  TensorListResize: resize,
  TensorListScatterIntoExistingList: (call) => scattered(call, listInput(call, 0), call.input(2), call.input(1)),
  TensorListScatterV2: scatter,
  TensorListSetItem: setItem,
  TensorListSplit: (call) => parted(call, call.input(0), 2),
  TensorListStack: stack,
};
