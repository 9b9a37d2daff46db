import { intsOf, type Value, withInts } from '../builder.js';
import type { Call, OpTable, Translate } from '../call.js';
import { elementType } from '../element-type.js';
import type { Shape } from '../tensor.js';

const { INT64, BOOL } = elementType;
/** Behind the end of every dimension. */
const END = Number.MAX_SAFE_INTEGER;
const MAX_RANK = 32;
/** Where an axis is when channels come first. */
const FIRST_AXIS = [0, 2, 3, 1] as const;

/** One dimension of the input, cut. */
interface Cut {
  readonly axis: number;
  /** Place of it in begin, end and strides. */
  readonly entry: number;
  readonly isOne: boolean;
}

/** What the masks of StridedSlice say: what is cut, and where dimensions of one are put in. */
interface Plan {
  readonly cuts: readonly Cut[];
  readonly added: readonly number[];
}

function planOf(call: Call, entries: number): Plan {
  const has = (mask: string, i: number) => ((call.int(mask, 0) >> i) & 1) === 1;
  const cuts: Cut[] = [];
  const added: number[] = [];
  let axis = 0;
  let place = 0;
  for (let i = 0; i < entries; i++) {
    if (has('ellipsis_mask', i)) {
      const news = countNews(call, entries);
      const skipped = call.rank(0) - (entries - 1 - news);
      axis += skipped;
      place += skipped;
    } else if (has('new_axis_mask', i)) {
      added.push(place++);
    } else {
      const isOne = has('shrink_axis_mask', i);
      cuts.push({ axis: axis++, entry: i, isOne });
      if (!isOne) place++;
    }
  }
  return { cuts, added };
}

/** An ellipsis comes before a new axis in one entry. */
function countNews(call: Call, entries: number): number {
  const mask = call.int('new_axis_mask', 0) & ~call.int('ellipsis_mask', 0);
  return Array.from({ length: entries }, (_, i) => (mask >> i) & 1).reduce((sum, bit) => sum + bit, 0);
}

const stridedSlice: Translate = (call) => {
  const value = call.input(0);
  const entries = intsOf(call.input(3))?.length ?? call.input(1).shape?.[0] ?? -1;
  if (entries < 0 || entries > MAX_RANK) throw call.refused('it is not known how many dimensions are cut');
  const strides = call.ints(3, 'strides');
  if (strides.includes(0)) throw call.refused('a stride of 0');
  const plan = planOf(call, entries);
  const known = knownCut(call, plan, strides);
  const cut = plan.cuts.length === 0 ? value : cutOf(call, value, plan, strides);
  const ones = plan.cuts.filter(({ isOne }) => isOne).map(({ axis }) => axis);
  const kept = cut.shape?.filter((_, i) => !ones.includes(i)) ?? null;
  const squeezed = ones.length === 0 ? cut : call.emit('Squeeze', [cut, call.int64s(ones)], value.type, kept);
  if (plan.added.length === 0) return withInts(squeezed, known);
  let shape = kept;
  for (const place of plan.added) shape = shape?.toSpliced(place, 0, 1) ?? null;
  const result = call.emit('Unsqueeze', [squeezed, call.int64s(plan.added)], value.type, shape);
  return withInts(result, known);
};

function bounds(call: Call, { entry, isOne }: Cut, strides: readonly number[]): [number | null, number | null] {
  const stride = isOne ? 1 : strides[entry]!;
  const isMasked = (mask: string) => ((call.int(mask, 0) >> entry) & 1) === 1;
  const first = stride > 0 ? 0 : END;
  const begin = isMasked('begin_mask') && !isOne ? first : (intsOf(call.input(1))?.[entry] ?? null);
  if (isOne) return [begin, begin === null ? null : begin === -1 ? END : begin + 1];
  const last = stride > 0 ? END : -END;
  return [begin, isMasked('end_mask') ? last : (intsOf(call.input(2))?.[entry] ?? null)];
}

function cutOf(call: Call, value: Value, plan: Plan, strides: readonly number[]): Value {
  const { cuts } = plan;
  const limits = cuts.map((cut) => bounds(call, cut, strides));
  const steps = cuts.map(({ entry, isOne }) => (isOne ? 1 : strides[entry]!));
  const starts = limits.map(([begin], i) => begin ?? element(call, call.input(1), cuts[i]!.entry));
  const ends = limits.map(
    ([, end], i) => end ?? (cuts[i]!.isOne ? behind(call, starts[i]!) : element(call, call.input(2), cuts[i]!.entry)),
  );
  const isFirst = value.first !== '' && value.name === '' && isOfRanges(plan);
  const axes = cuts.map(({ axis }) => (isFirst ? FIRST_AXIS[axis]! : axis));
  const shape = value.shape === null ? null : [...value.shape];
  cuts.forEach(({ axis, isOne }, i) => {
    if (shape !== null) shape[axis] = isOne ? 1 : length(shape[axis]!, limits[i]!, steps[i]!);
  });
  const places = [vector(call, starts), vector(call, ends), call.int64s(axes), call.int64s(steps)];
  if (isFirst) return call.emitFirst('Slice', [value.first, ...places], value.type, shape);
  return call.emit('Slice', [value, ...places], value.type, shape);
}

/** Images stay images. */
function isOfRanges({ cuts, added }: Plan): boolean {
  return added.length === 0 && cuts.every(({ isOne }) => !isOne);
}

type Place = number | Value;

/** One element, of rank 1. */
function element(call: Call, value: Value, index: number): Value {
  return call.emit('Gather', [call.asInt64(value), call.int64s([index])], INT64, [1]);
}

/** The place behind one that is only known when the model runs: behind the last, -1, is the end. */
function behind(call: Call, place: Place): Value {
  const next = call.emit('Add', [place as Value, call.int64s([1])], INT64, [1]);
  const isEnd = call.emit('Equal', [next, call.int64s([0])], BOOL, [1]);
  return call.emit('Where', [isEnd, call.int64s([END]), next], INT64, [1]);
}

function vector(call: Call, places: readonly Place[]): string {
  if (places.every((place) => typeof place === 'number')) return call.int64s(places);
  const parts = places.map((place) => (typeof place === 'number' ? call.int64s([place]) : place));
  return call.emitNames('Concat', parts, { axis: 0 })[0]!;
}

/** Of a cut dimension; -1 = not known. */
function length(size: number, [begin, end]: readonly [number | null, number | null], step: number): number {
  if (size < 0 || begin === null || end === null) return -1;
  return Math.max(0, Math.ceil((clamp(end, size, step) - clamp(begin, size, step)) / step));
}

/** As Python cuts; at most so many as a shape has dimensions. */
function indices(size: number, begin: number, end: number, step: number): number[] {
  return Array.from({ length: length(size, [begin, end], step) }, (_, i) => clamp(begin, size, step) + i * step);
}

function clamp(place: number, size: number, step: number): number {
  const [least, most] = step > 0 ? [0, size] : [-1, size - 1];
  const counted = place < 0 && place > -END ? place + size : place;
  return Math.max(least, Math.min(most, counted));
}

/** The elements, where what is cut is a shape. */
function knownCut(call: Call, { cuts, added }: Plan, strides: readonly number[]): (number | null)[] | null {
  const ints = intsOf(call.input(0));
  if (ints === null || cuts.length !== 1 || added.length > 0 || call.input(0).shape?.length !== 1) return null;
  const [begin, end] = bounds(call, cuts[0]!, strides);
  if (begin === null || end === null) return null;
  return indices(ints.length, begin, end, cuts[0]!.isOne ? 1 : strides[cuts[0]!.entry]!).map((i) => ints[i]!);
}

const slice: Translate = (call) => {
  const value = call.input(0);
  const [begins, sizes] = [intsOf(call.input(1)), intsOf(call.input(2))];
  const count = begins?.length ?? sizes?.length ?? call.rank(0);
  const entries = Array.from({ length: count }, (_, i) => i);
  const starts = entries.map((i): Place => begins?.[i] ?? element(call, call.input(1), i));
  const ends = entries.map((i): Place => endOf(call, starts[i]!, sizes?.[i] ?? null, i));
  const shape = entries.map((i) => {
    const [begin, size, whole] = [begins?.[i] ?? null, sizes?.[i] ?? null, value.shape?.[i] ?? -1];
    if (size !== -1) return size ?? -1;
    return whole < 0 || begin === null ? -1 : whole - begin;
  });
  const cut = call.emit('Slice', [value, vector(call, starts), vector(call, ends)], value.type, shape);
  const ints = intsOf(value);
  const isKnown = ints !== null && count === 1 && typeof starts[0] === 'number' && typeof ends[0] === 'number';
  return withInts(cut, isKnown ? ints.slice(starts[0] as number, ends[0] as number) : null);
};

/** A size of -1 is all that is left. */
function endOf(call: Call, start: Place, size: number | null, entry: number): Place {
  if (size === -1) return END;
  if (size !== null && typeof start === 'number') return start + size;
  const begin = typeof start === 'number' ? call.int64s([start]) : start;
  if (size !== null) return call.emit('Add', [begin, call.int64s([size])], INT64, [1]);
  const length = element(call, call.input(2), entry);
  const isAll = call.emit('Equal', [length, call.int64s([-1])], BOOL, [1]);
  const end = call.emit('Add', [begin, length], INT64, [1]);
  return call.emit('Where', [isAll, call.int64s([END]), end], INT64, [1]);
}

const gather: Translate = (call) => {
  const [values, places] = [call.input(0), call.input(1)];
  if (call.int('batch_dims', 0) !== 0) throw call.refused('batch_dims other than 0');
  const given = call.inputs.length < 3 ? 0 : call.ints(2, 'axis')[0]!;
  const axis = values.shape === null ? given : call.axis(given, values.shape.length);
  const shape = gatheredShape(values.shape, places.shape, axis);
  const result = call.emit('Gather', [values, places], values.type, shape, { axis });
  const [ints, indexes] = [intsOf(values), intsOf(places)];
  if (ints === null || indexes === null || values.shape?.length !== 1) return result;
  return withInts(
    result,
    indexes.map((i) => (i === null ? null : (ints[i] ?? null))),
  );
};

function gatheredShape(values: Shape | null, places: Shape | null, axis: number): Shape | null {
  if (values === null || places === null) return null;
  return values.toSpliced(axis, 1, ...places);
}

const gatherNd: Translate = (call) => {
  const [values, places] = [call.input(0), call.input(1)];
  const depth = places.shape?.at(-1) ?? -1;
  const isKnown = values.shape !== null && places.shape !== null && depth >= 0;
  const shape = isKnown ? [...places.shape!.slice(0, -1), ...values.shape!.slice(depth)] : null;
  return call.emit('GatherND', [values, call.asInt64(places)], values.type, shape);
};

const reverse: Translate = (call) => {
  const value = call.input(0);
  const axes = call.ints(1, 'axes').map((axis) => call.axis(axis, call.rank(0)));
  if (axes.length === 0) return value;
  const all = (number: number) => call.int64s(axes.map(() => number));
  return call.emit('Slice', [value, all(-1), all(-END), call.int64s(axes), all(-1)], value.type, value.shape);
};

/** ONNX has it for the first two dimensions. */
const reverseSequence: Translate = (call) => {
  const value = call.input(0);
  const [time, batch] = [call.int('seq_dim', 0), call.int('batch_dim', 0)];
  if (time + batch !== 1 || time * batch !== 0) throw call.refused(`seq_dim ${time} and batch_dim ${batch}`);
  const attributes = { time_axis: time, batch_axis: batch };
  return call.emit('ReverseSequence', [value, call.asInt64(call.input(1))], value.type, value.shape, attributes);
};

export const sliceOps: OpTable = {
  Gather: gather,
  GatherNd: gatherNd,
  GatherV2: gather,
  ResourceGather: gather,
  ResourceGatherNd: gatherNd,
  ReverseSequence: reverseSequence,
  ReverseV2: reverse,
  Slice: slice,
  StridedSlice: stridedSlice,
};
