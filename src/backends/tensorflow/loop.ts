import { invalid } from '../../types/errors.js';
import { Builder, constant, DEAD, intsOf, named, type Value } from './builder.js';
import type { Call } from './call.js';
import { elementType } from './element-type.js';
import { closed } from './finish.js';
import { FunctionView } from './function-view.js';
import type { GraphFunction } from './graph.js';
import { elementOf, listOf, resized, rowsOf } from './list.js';
import { type Limit, type LoopPlan, loopPlan, type Role } from './loop-plan.js';
import type { OnnxGraph, OnnxValue } from './onnx-writer.js';
import type { Reference } from './reference.js';
import { merged } from './shapes.js';
import { filled, type Shape } from './tensor.js';

const { INT64, BOOL } = elementType;
/** Each widens a shape: it has so many dimensions at most. */
const MAX_PASSES = 40;

/** Translates what targets of a function need, with these arguments, into a builder. */
export type Inline = (
  called: GraphFunction,
  values: readonly Value[],
  targets: readonly Reference[],
  builder: Builder,
) => readonly Value[] | 'lost';

/** One turn as a graph, and what it hands on. */
interface Turn {
  readonly graph: OnnxGraph;
  readonly carried: readonly Value[];
  readonly rows: readonly Value[];
}

/** How often a loop runs: at most `count` times, and as often as all values say. */
interface Trips {
  readonly name: string;
  readonly count: number | null;
  readonly values: readonly Value[];
}

/** `While` as ONNX's Loop. Throws UNSUPPORTED for one that cannot be, INVALID_ARGUMENT for functions that do not fit. */
export function translateLoop(call: Call, cond: GraphFunction, body: GraphFunction, inline: Inline): Value[] | 'lost' {
  const count = call.inputs.length;
  if (cond.inputs.length !== count || body.inputs.length !== count || body.outputs.length !== count) {
    throw invalid(`a loop of ${count} variables, whose functions have others`);
  }
  const assignment = body.nodes.find(({ op }) => op.startsWith('Assign'));
  if (assignment !== undefined) throw call.refused(`a turn changes a variable at '${assignment.name}'`);
  return new Loop(call, cond, body, inline).translate();
}

class Loop {
  readonly #call: Call;
  readonly #cond: GraphFunction;
  readonly #body: GraphFunction;
  readonly #inline: Inline;
  readonly #plan: LoopPlan;
  readonly #initial: readonly Value[];

  constructor(call: Call, cond: GraphFunction, body: GraphFunction, inline: Inline) {
    this.#call = call;
    this.#cond = cond;
    this.#body = body;
    this.#inline = inline;
    this.#initial = call.inputs;
    this.#plan = loopPlan(cond, body, call.inputs);
  }

  translate(): Value[] | 'lost' {
    const { limits } = this.#plan;
    const trips = limits === null ? null : this.#trips(limits);
    const isFirst = trips === null ? this.#goesOn(this.#initial, this.#call.builder) : null;
    const carried = this.#of('carried').map((i) => this.#initial[i]!);
    const settled = this.#settle(carried);
    if (isFirst === 'lost' || settled === 'lost') return 'lost';
    const { turn, entries } = settled;
    const names = this.#emit(turn, trips, isFirst, entries);
    return this.#results(turn, names, trips, entries);
  }

  #of(kind: Role['kind']): number[] {
    return this.#plan.roles.flatMap((role, i) => (role.kind === kind ? [i] : []));
  }

  /** Shapes that variables have in all turns: what is only so in the first is not said. */
  #settle(initial: readonly Value[]): { turn: Turn; entries: readonly Value[] } | 'lost' {
    let entries = initial.map(entryOf);
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      const turn = this.#turn(entries);
      if (turn === 'lost') return 'lost';
      const wider = entries.map((entry, i) => widened(entry, turn.carried[i]!, initial[i]!));
      if (wider.every((entry, i) => `${entry.shape}` === `${entries[i]!.shape}`)) return { turn, entries };
      entries = wider;
    }
    throw this.#call.refused('the shapes of its variables do not settle');
  }

  #turn(entries: readonly Value[]): Turn | 'lost' {
    const builder = new Builder(this.#call.builder);
    const [turn, before] = [builder.fresh('turn'), builder.fresh('goes_on')];
    const carried = this.#of('carried');
    const places = entries.map((entry) => ({ ...entry, name: builder.fresh('variable') }));
    const values = this.#initial.map((value, i) => {
      const { kind } = this.#plan.roles[i]!;
      if (kind === 'counter') return this.#counted(value, turn, builder);
      return kind === 'carried' ? places[carried.indexOf(i)]! : { ...value };
    });
    const rows = this.#of('rows');
    const returns = new FunctionView(this.#body).returns;
    const items = this.#plan.roles.flatMap((role) => (role.kind === 'rows' ? [role.item] : []));
    const results = this.#inline(this.#body, values, [...carried.map((i) => returns[i]!), ...items], builder);
    if (results === 'lost') return 'lost';
    const next = results.slice(0, carried.length).map((value, i) => this.#checked(value, entries[i]!, builder));
    const written = results.slice(carried.length).map((value, i) => this.#item(value, this.#initial[rows[i]!]!));
    const after = values.map((value, i) => (carried.includes(i) ? next[carried.indexOf(i)]! : value));
    const goesOn = this.#plan.limits === null ? this.#goesOn(after, builder) : named(before, BOOL, []);
    if (goesOn === 'lost') return 'lost';
    const inputs: OnnxValue[] = [named(turn, INT64, []), named(before, BOOL, []), ...places];
    // A shape says what a list is that no turn has written to; what is carried may have another in each.
    const outputs = [goesOn, ...next.map((value) => ({ ...plainOf(value), shape: null })), ...written];
    return { graph: closed(builder, inputs.map(portOf), outputs), carried: next, rows: written };
  }

  /** Whether there is another turn. */
  #goesOn(values: readonly Value[], builder: Builder): Value | 'lost' {
    const copies = values.map((value) => ({ ...value }));
    const results = this.#inline(this.#cond, copies, new FunctionView(this.#cond).returns, builder);
    if (results === 'lost') return 'lost';
    const value = results[0];
    if (results.length !== 1 || value === undefined || value === DEAD) throw invalid('its condition is no value');
    if ((value.shape?.length ?? 0) > 0) throw this.#call.refused('its condition is more than one value');
    return this.#call.inside(builder).cast(value, BOOL);
  }

  /** A counter in a turn. */
  #counted(start: Value, turn: string, builder: Builder): Value {
    const call = this.#call.inside(builder);
    const passed = call.cast(named(turn, INT64, []), start.type);
    return intsOf(start)?.[0] === 0 ? passed : call.emit('Add', [passed, start], start.type, []);
  }

  #checked(value: Value, entry: Value, builder: Builder): Value {
    if (value === DEAD || value.type !== entry.type || (value.list === undefined) !== (entry.list === undefined)) {
      throw invalid('a variable of the loop becomes something else in a turn');
    }
    return value.list === undefined ? value : listOf(rowsOf(this.#call.inside(builder), value), value.list);
  }

  #item(value: Value, list: Value): Value {
    if (value === DEAD || value.type !== list.type || value.list !== undefined) {
      throw invalid('what is written to a list in a turn is no element of it');
    }
    return { ...value, shape: merged(value.shape, elementOf(list)) };
  }

  #trips(limits: readonly Limit[]): Trips {
    const call = this.#call;
    let count: number | null = null;
    const values: Value[] = [];
    for (const { counter, below } of limits) {
      const [start, end] = [
        this.#initial[counter]!,
        typeof below === 'number' ? this.#initial[below]! : constant(below),
      ];
      const [first, last] = [intsOf(start)?.[0] ?? null, intsOf(end)?.[0] ?? null];
      if (first !== null && last !== null) count = Math.min(count ?? Number.MAX_SAFE_INTEGER, last - first);
      else if (first !== 0) values.push(call.emit('Sub', [end, start], end.type, []));
      else if (!values.some(({ name }) => name === end.name)) values.push(end);
    }
    const names = values.map((value) => call.asInt64(value));
    if (count !== null) names.push(call.scalar(count, INT64));
    const name = names.length === 1 ? names[0]! : call.emitNames('Min', names)[0]!;
    return { name, count, values };
  }

  /** Names of what is carried, then of the rows. */
  #emit(turn: Turn, trips: Trips | null, isFirst: Value | null, entries: readonly Value[]): string[] {
    const outputs = turn.carried.length + turn.rows.length;
    if (outputs === 0 && trips !== null) return [];
    if (outputs === 0) throw this.#call.refused('a loop of which no turn changes anything');
    const initial = this.#of('carried').map((i, place) => this.#before(this.#initial[i]!, entries[place]!));
    const condition = isFirst === null ? '' : isFirst;
    return this.#call.emitNames(
      'Loop',
      [trips?.name ?? '', condition, ...initial],
      { body: { graph: turn.graph } },
      outputs,
    );
  }

  #before(value: Value, entry: Value): Value {
    if (value.list === undefined) return value;
    return rowsOf(this.#call, value, entry.shape?.slice(1) ?? null);
  }

  #results(turn: Turn, names: readonly string[], trips: Trips | null, entries: readonly Value[]): Value[] {
    const [carried, rows] = [this.#of('carried'), this.#of('rows')];
    return this.#plan.roles.map(({ kind }, i) => {
      const initial = this.#initial[i]!;
      if (kind === 'same') return initial;
      if (kind === 'counter') return this.#ended(initial, trips!);
      const place = kind === 'carried' ? carried.indexOf(i) : carried.length + rows.indexOf(i);
      if (kind === 'carried') return { ...entries[place]!, name: names[place]! };
      const item = turn.rows[place - carried.length]!;
      const shape = item.shape && [trips?.values.length === 0 ? Math.max(0, trips.count!) : -1, ...item.shape];
      return this.#written(initial, named(names[place]!, item.type, shape), trips);
    });
  }

  /** A counter behind the loop. */
  #ended(start: Value, trips: Trips): Value {
    const call = this.#call;
    if (trips.values.length === 0 && intsOf(start) !== null) {
      return constant(filled(start.type, intsOf(start)![0]! + Math.max(0, trips.count!), []));
    }
    const passed = call.emit('Max', [trips.name, call.scalar(0, INT64)], INT64, []);
    return call.emit('Add', [start, call.cast(passed, start.type)], start.type, []);
  }

  /** A list behind the loop: of as many elements as it had before, also where the loop has ended early. */
  #written(list: Value, rows: Value, trips: Trips | null): Value {
    const size = list.list!.size!;
    const known = intsOf(size)?.[0] ?? null;
    const isWhole =
      known === null
        ? trips?.count === null && trips.values.length === 1 && trips.values[0]!.name === size.name
        : known === 0 || (trips?.values.length === 0 && trips.count! >= known);
    if (isWhole) return listOf(rows, { size: known === 0 ? null : size, grows: list.list!.grows });
    if (list.list!.grows) throw this.#call.refused('a list that grows from a size that is not 0');
    return listOf(resized(this.#call, rows, size), { size });
  }
}

/** A variable in a turn, as far as it is known before the first. */
function entryOf(value: Value): Value {
  const { type, list } = value;
  const plain = named('', type, list?.isEmpty === true ? rowShape(value) : value.shape);
  return list === undefined ? plain : listOf(plain, { grows: list.grows });
}

function rowShape({ list, shape }: Value): Shape | null {
  return shape && [intsOf(list!.size!)?.[0] ?? -1, ...shape];
}

/** What is true of both. */
function widened(entry: Value, result: Value, initial: Value): Value {
  const { shape } = result;
  // A list of which nothing is known takes what is written first.
  if (entry.shape === null && initial.list?.isEmpty === true && initial.shape === null) {
    return { ...entry, shape: shape?.map(() => -1) ?? null };
  }
  if (entry.shape === null || shape?.length !== entry.shape.length) return { ...entry, shape: null };
  return { ...entry, shape: entry.shape.map((dim, i) => (dim === shape[i] ? dim : -1)) };
}

function plainOf({ list: _, ...value }: Value): Value {
  return value;
}

function portOf({ name, type, shape }: OnnxValue): OnnxValue {
  return { name, type, shape };
}
