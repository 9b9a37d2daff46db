import { intsOf, type Value } from './builder.js';
import { elementType } from './element-type.js';
import { FunctionView, type Uses } from './function-view.js';
import type { GraphFunction, GraphNode } from './graph.js';
import { dataInputs, type Reference } from './reference.js';
import { numbersOf, type Tensor } from './tensor.js';

/** What becomes of a variable of a loop. */
export type Role =
  /** It stays as it was before the loop. */
  | { readonly kind: 'same' }
  /** It is one more in each turn. */
  | { readonly kind: 'counter' }
  /** A list of which each turn writes the next element, and nobody reads: what is written. */
  | { readonly kind: 'rows'; readonly item: Reference }
  /** Each turn hands the next one another. */
  | { readonly kind: 'carried' };

/** A counter that stays below a variable, by its place, or a constant. */
export interface Limit {
  readonly counter: number;
  readonly below: number | Tensor;
}

export interface LoopPlan {
  readonly roles: readonly Role[];
  /** The loop ends at the first of these, and for no other reason; null = what ends it has to be computed. */
  readonly limits: readonly Limit[] | null;
}

const CARRIED: Role = { kind: 'carried' };
const MAX_LIMITS = 16;

/** What a loop does with its variables, from how its functions are made. @param initial the variables before the loop */
export function loopPlan(cond: GraphFunction, body: GraphFunction, initial: readonly Value[]): LoopPlan {
  return new Planner(cond, body, initial).plan();
}

class Planner {
  readonly #cond: FunctionView;
  readonly #body: FunctionView;
  readonly #initial: readonly Value[];
  readonly #returns: readonly Reference[];
  readonly #isSame: readonly boolean[];
  readonly #isCounter: readonly boolean[];

  constructor(cond: GraphFunction, body: GraphFunction, initial: readonly Value[]) {
    this.#cond = new FunctionView(cond);
    this.#body = new FunctionView(body);
    this.#initial = initial;
    this.#returns = this.#body.returns;
    this.#isSame = this.#returns.map((reference, i) => this.#body.argument(reference) === i);
    this.#isCounter = this.#returns.map((reference, i) => this.#counts(reference, i));
  }

  plan(): LoopPlan {
    const limits = this.#limits();
    const [inBody, inCond] = [this.#body.uses(), this.#cond.uses()];
    const roles = this.#returns.map((reference, i): Role => {
      if (this.#isSame[i]) return { kind: 'same' };
      if (this.#isCounter[i] && limits !== null) return { kind: 'counter' };
      return this.#rows(reference, i, inBody, inCond) ?? CARRIED;
    });
    return { roles, limits };
  }

  /** Whether variable `i` is what is returned, and one. */
  #counts(reference: Reference, i: number): boolean {
    const { type, shape } = this.#initial[i]!;
    if ((type !== elementType.INT32 && type !== elementType.INT64) || shape?.length !== 0) return false;
    const node = this.#body.node(reference);
    if (node?.op !== 'Add' && node?.op !== 'AddV2') return false;
    const [a, b] = dataInputs(node) as [Reference?, Reference?];
    if (a === undefined || b === undefined) return false;
    const isOne = (other: Reference) => this.#number(this.#body, other) === 1;
    return (this.#body.argument(a) === i && isOne(b)) || (this.#body.argument(b) === i && isOne(a));
  }

  /** One constant whole number; null = it is none. */
  #number(view: FunctionView, reference: Reference): number | null {
    const place = view.argument(reference);
    if (place >= 0) return this.#isSame[place] ? (intsOf(this.#initial[place]!)?.[0] ?? null) : null;
    const tensor = constantOf(view.node(reference));
    if (tensor === null || tensor.dims.length > 0 || !isWhole(tensor)) return null;
    return numbersOf(tensor)[0]!;
  }

  /** Of a loop that runs while all of some counters are below their limits. */
  #limits(): Limit[] | null {
    const limits: Limit[] = [];
    const open = [this.#cond.returns[0]];
    while (open.length > 0) {
      const reference = open.pop();
      const node = reference === undefined ? undefined : this.#cond.node(reference);
      const inputs = node === undefined ? [] : dataInputs(node);
      if (inputs.length !== 2 || limits.length === MAX_LIMITS || open.length > MAX_LIMITS) return null;
      if (node!.op === 'LogicalAnd') open.push(...inputs);
      else if (node!.op !== 'Less') return null;
      else {
        const limit = this.#limit(inputs[0]!, inputs[1]!);
        if (limit === null) return null;
        limits.push(limit);
      }
    }
    return limits;
  }

  #limit(less: Reference, more: Reference): Limit | null {
    const counter = this.#cond.argument(less);
    const place = this.#cond.argument(more);
    if (counter < 0 || !this.#isCounter[counter]) return null;
    if (place >= 0)
      return this.#isSame[place] && this.#initial[place]!.shape?.length === 0 ? { counter, below: place } : null;
    const tensor = constantOf(this.#cond.node(more));
    return tensor !== null && tensor.dims.length === 0 && isWhole(tensor) ? { counter, below: tensor } : null;
  }

  /** Written where a counter from 0 says, or behind the last, and not looked at. */
  #rows(reference: Reference, i: number, inBody: Uses, inCond: Uses): Role | null {
    const { list } = this.#initial[i]!;
    const node = this.#body.node(reference);
    if (list?.isEmpty !== true || node === undefined) return null;
    const written = writtenBy(node);
    if (written === null || this.#body.argument(written.list) !== i) return null;
    const isNext = written.index === null ? intsOf(list.size!)?.[0] === 0 : this.#countsFromZero(written.index);
    const others = this.#returns.filter((other) => this.#body.node(other) === node).length;
    const isUnseen = inBody.of(written.list) === 1 && inBody.of(reference) === 0 && others === 1;
    const isHere = this.#returns.every((other) => this.#body.argument(other) !== i);
    const argument = { node: this.#cond.name(i), port: 0, isControl: false };
    return isNext && isUnseen && isHere && inCond.of(argument) === 0 ? { kind: 'rows', item: written.item } : null;
  }

  #countsFromZero(index: Reference): boolean {
    const place = this.#body.argument(index);
    return place >= 0 && this.#isCounter[place]! && intsOf(this.#initial[place]!)?.[0] === 0;
  }
}

/** What a node writes to which list, where; an index of null = behind the last. */
function writtenBy(node: GraphNode): { list: Reference; index: Reference | null; item: Reference } | null {
  const inputs = dataInputs(node);
  const [a, b, c, d] = inputs as [Reference, Reference, Reference, Reference];
  if (node.op === 'TensorListPushBack' && inputs.length === 2) return { list: a, index: null, item: b };
  if (node.op === 'TensorListSetItem' && inputs.length === 3) return { list: a, index: b, item: c };
  if (node.op === 'TensorArrayWriteV3' && inputs.length === 4) return { list: d, index: b, item: c };
  return null;
}

function constantOf(node: GraphNode | undefined): Tensor | null {
  return node?.op === 'Const' ? (node.attributes.get('value')?.tensor?.() ?? null) : null;
}

function isWhole({ type }: Tensor): boolean {
  return type === elementType.INT32 || type === elementType.INT64;
}
