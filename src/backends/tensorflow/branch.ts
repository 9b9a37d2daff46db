import { invalid } from '../../types/errors.js';
import { Builder, DEAD, named, type Value } from './builder.js';
import type { Call } from './call.js';
import { elementType } from './element-type.js';
import { closed } from './finish.js';
import { FunctionView } from './function-view.js';
import type { GraphFunction } from './graph.js';
import { listOf, rowsOf } from './list.js';
import type { Inline } from './loop.js';
import type { OnnxGraph } from './onnx-writer.js';
import type { Shape } from './tensor.js';

/** What one of two branches makes. */
interface Side {
  readonly graph: OnnxGraph;
  readonly values: readonly Value[];
}

/** `If` whose condition is known when the model runs, as ONNX's. Throws INVALID_ARGUMENT for branches that do not fit each other. */
export function translateBranch(
  call: Call,
  taken: GraphFunction,
  other: GraphFunction,
  inline: Inline,
): Value[] | 'lost' {
  const sides = [taken, other].map((called) => sideOf(call, called, inline));
  const [a, b] = sides as [Side | 'lost', Side | 'lost'];
  if (a === 'lost' || b === 'lost') return 'lost';
  if (a.values.length !== b.values.length) throw invalid('branches of different outputs');
  const values = a.values.map((value, i) => either(value, b.values[i]!));
  if (values.length === 0) return values;
  const condition = call.cast(call.input(0), elementType.BOOL);
  if ((condition.shape?.length ?? 0) > 0) throw call.refused('its condition is more than one value');
  const graphs = { then_branch: { graph: a.graph }, else_branch: { graph: b.graph } };
  const names = call.emitNames('If', [condition], graphs, values.length);
  return values.map((value, i) => ({ ...value, name: names[i]! }));
}

function sideOf(call: Call, called: GraphFunction, inline: Inline): Side | 'lost' {
  const builder = new Builder(call.builder);
  const copies = call.inputs.slice(1).map((value) => ({ ...value }));
  if (called.inputs.length !== copies.length) throw invalid(`${copies.length} values for a branch that takes others`);
  const results = inline(called, copies, new FunctionView(called).returns, builder);
  if (results === 'lost') return 'lost';
  if (results.includes(DEAD)) throw invalid('a branch without a value');
  const inner = call.inside(builder);
  const values = results.map((value) => (value.list === undefined ? value : listOf(rowsOf(inner, value), value.list)));
  const outputs = values.map(({ list: _, ...value }) => ({ ...value, shape: null }));
  return { graph: closed(builder, [], outputs), values };
}

/** What is true of both. */
function either(a: Value, b: Value): Value {
  if (a.type !== b.type || (a.list === undefined) !== (b.list === undefined)) {
    throw invalid('branches whose outputs are of different types');
  }
  const value = named('', a.type, common(a.shape, b.shape));
  return a.list === undefined ? value : listOf(value, { grows: a.list.grows });
}

function common(a: Shape | null, b: Shape | null): Shape | null {
  if (a === null || b === null || a.length !== b.length) return null;
  return a.map((dim, i) => (dim === b[i] ? dim : -1));
}
