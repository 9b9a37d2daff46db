import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ConfigSource,
  type FieldPath,
  fieldText,
  type Item,
  type Statement,
} from '../../src/config/config-source.js';
import { parseWithSource } from '../../src/config/pbtxt.js';
import { anyModelConfig } from './arbitrary-config.js';
import { printModelConfig } from './print-pbtxt.js';

function sourceOf(text: string): ConfigSource {
  return parseWithSource(text, 'm/config.pbtxt').source;
}

/** `line:column text` of a field; '' = it is not written. */
function shown(source: ConfigSource, path: FieldPath): string {
  const place = source.place(path);
  if (place === null) return '';
  const { line, column } = source.position(place.at);
  return `${line}:${column} ${source.text.slice(place.at, place.end)}`;
}

describe('fields', () => {
  const source = sourceOf(`name: "m"  # the model
input [
  { name: "a" dims: [ 1, -1 ] },
  { name: "b"
    dims: 3 dims: [ 4 ] }
]
output { name: 'c' 'd' # two strings
}
parameters { key: "x.y" value { string_value: "1" } }
metric_tags: { value: "v" key: "k" }
`);

  test.each<[FieldPath, string]>([
    [['name'], '1:1 name: "m"'],
    [['input', 0], '3:3 { name: "a" dims: [ 1, -1 ] }'],
    [['input', 0, 'dims'], '3:15 dims: [ 1, -1 ]'],
    [['input', 0, 'dims', 1], '3:26 -1'],
    [['input', 1, 'dims'], '5:5 dims: 3'],
    [['input', 1, 'dims', 0], '5:5 dims: 3'],
    [['input', 1, 'dims', 1], '5:21 4'],
    [['output', 0, 'name'], "7:10 name: 'c' 'd'"],
    [['parameters', { key: 'x.y' }], '9:1 parameters { key: "x.y" value { string_value: "1" } }'],
    [['parameters', { key: 'x.y' }, 'string_value'], '9:33 string_value: "1"'],
    [['metric_tags', { key: 'k' }], '10:1 metric_tags: { value: "v" key: "k" }'],
    [['input', 0, 'data_type'], ''],
  ])('%j', (path, expected) => {
    expect(shown(source, path)).toBe(expected);
  });

  test('what is not written has a place in what is', () => {
    expect(source.nearest(['input', 1, 'data_type'])).toBe(source.place(['input', 1]));
    expect(source.nearest(['output', 3, 'name'])).toBe(source.place(['output']));
    expect(source.nearest(['max_batch_size'])).toBeNull();
  });

  test('children come in the order of the text', () => {
    expect(source.children([]).map(fieldText)).toEqual(['name', 'input', 'output', 'parameters', 'metric_tags']);
    expect(source.children(['input']).map(fieldText)).toEqual(['input[0]', 'input[1]']);
    expect(source.children(['parameters']).map(fieldText)).toEqual(['parameters["x.y"]']);
    expect(source.children(['parameters', { key: 'x.y' }]).map(fieldText)).toEqual(['parameters["x.y"].string_value']);
  });
});

test('a byte order mark counts for nothing, a carriage return ends no line', () => {
  expect(shown(sourceOf('\ufeffname: "m"\r\nmax_batch_size: 4\r\n'), ['max_batch_size'])).toBe('2:1 max_batch_size: 4');
});

test('of entries with one key the last is the place', () => {
  const source = sourceOf('metric_tags { key: "a" value: "1" }\nmetric_tags { key: "a" value: "2" }');
  expect(source.position(source.place(['metric_tags', { key: 'a' }])!.at).line).toBe(2);
});

/** Every statement of a message and below. */
function* statementsIn(statements: readonly Statement[]): Generator<Statement> {
  for (const statement of statements) {
    yield statement;
    for (const item of statement.items) yield* statementsIn(item.statements);
  }
}

test('whatever the style, a statement begins with its name, ends with its value, and lies within its message', () => {
  const styles = fc.infiniteStream(fc.nat());
  fc.assert(
    fc.property(anyModelConfig(), styles, (config, stream) => {
      const text = printModelConfig(config, (choices) => stream.next().value! % choices);
      const { source } = parseWithSource(text, 'f');
      for (const { field, at, valueAt, end, items } of statementsIn(source.statements)) {
        expect(text.startsWith(field.name, at)).toBe(true);
        expect(text.slice(at + field.name.length, valueAt)).toMatch(/^(\s|#[^\n]*\n)*:?(\s|#[^\n]*\n)*$/);
        expect(text[end - 1]).toMatch(/[^\s,;]/);
        const inside = (item: Item) => item.at >= valueAt && item.end <= end;
        expect(items.every(inside)).toBe(true);
      }
    }),
    { numRuns: 60 },
  );
});

test('a statement alone says what it says in its message', () => {
  fc.assert(
    fc.property(anyModelConfig(), fc.infiniteStream(fc.nat()), (config, stream) => {
      const text = printModelConfig(config, (choices) => stream.next().value! % choices);
      const { source, config: whole } = parseWithSource(text, 'f');
      for (const { field, at, end, items } of source.statements) {
        if (field.repeated || field.mapKey !== '') continue;
        const alone = parseWithSource(text.slice(at, end), 'f').config as unknown as Record<string, unknown>;
        expect(alone[field.name]).toEqual((whole as unknown as Record<string, unknown>)[field.name]);
        expect(items).toHaveLength(1);
      }
    }),
    { numRuns: 60 },
  );
});
