import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { modelConfigFromJson } from '../../src/config/config-from-json.js';
import { modelConfigToJson } from '../../src/config/config-json.js';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import { ServerError } from '../../src/types/errors.js';
import { anyModelConfig } from './arbitrary-config.js';

/** JSON whose integers beyond 2^53 are quoted, as who writes them has to. */
function quoteLarge(json: string): string {
  return json.replace(/"(?:[^"\\]|\\.)*"|-?\d[-+.\deE]*/g, (token) => {
    return /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token;
  });
}

/** JSON has no -0. */
function withoutNegativeZero(value: unknown): unknown {
  if (value === 0) return 0;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutNegativeZero);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutNegativeZero(item)]));
}

function refusal(json: unknown): string {
  try {
    modelConfigFromJson(typeof json === 'string' ? json : JSON.stringify(json));
  } catch (error) {
    expect(error).toBeInstanceOf(ServerError);
    expect((error as ServerError).code).toBe('INVALID_ARGUMENT');
    return (error as ServerError).message;
  }
  return 'none';
}

test('any configuration is read back from its JSON', () => {
  fc.assert(
    fc.property(anyModelConfig(), (config) => {
      const json = modelConfigToJson(config);
      const read = modelConfigFromJson(quoteLarge(json));
      expect(withoutNegativeZero(read)).toEqual(withoutNegativeZero(config));
      expect(modelConfigToJson(read)).toBe(json);
    }),
    { numRuns: 100 },
  );
});

test('nothing is filled in but the defaults of the message', () => {
  expect(modelConfigFromJson('{}')).toEqual(parseModelConfig('', 'config.pbtxt'));
  expect(modelConfigFromJson('{"dynamic_batching":{}}')).toEqual(
    parseModelConfig('dynamic_batching { }', 'config.pbtxt'),
  );
});

describe('what may be written in several ways', () => {
  const same = (json: string, text: string) =>
    expect(modelConfigFromJson(json)).toEqual(parseModelConfig(text, 'config.pbtxt'));

  it('is names in camel case', () => {
    same(
      '{"maxBatchSize":4,"instanceGroup":[{"kind":"KIND_CPU","count":2}],"versionPolicy":{"latest":{"numVersions":3}}}',
      'max_batch_size: 4 instance_group { kind: KIND_CPU count: 2 } version_policy { latest { num_versions: 3 } }',
    );
  });

  it('is enums, as names and as numbers', () => {
    for (const value of ['"TYPE_FP32"', '11'])
      same(`{"input":[{"name":"x","data_type":${value}}]}`, 'input { name: "x" data_type: TYPE_FP32 }');
  });

  it('is integers, as numbers and as text', () => {
    for (const value of ['4', '"4"']) same(`{"max_batch_size":${value}}`, 'max_batch_size: 4');
    same(
      '{"dynamic_batching":{"max_queue_delay_microseconds":"18446744073709551615"}}',
      'dynamic_batching { max_queue_delay_microseconds: 18446744073709551615 }',
    );
  });

  it('is what is not set', () => {
    same('{"name":null,"dynamic_batching":null,"input":null,"parameters":null}', '');
    same('{"version_policy":{"latest":null,"all":{}}}', 'version_policy { all { } }');
  });
});

describe('what is refused, and where', () => {
  it.each([
    ['no JSON', '{', /^the configuration is no JSON: /],
    ['a list', [], "field '': expected an object, found []"],
    ['text', '"x"', 'field \'\': expected an object, found "x"'],
    ['null', 'null', "field '': expected an object, found null"],
    [
      'a list too deep to be written',
      '['.repeat(100_000) + ']'.repeat(100_000),
      "field '': expected an object, found what nests too deeply",
    ],
    [
      'an unknown field',
      { max_batch_sise: 1 },
      "ModelConfig has no field 'max_batch_sise'; did you mean 'max_batch_size'?",
    ],
    [
      'an unknown field inside',
      { dynamic_batching: { delay: 1 } },
      /^'dynamic_batching' \(.*\) has no field 'delay'; did you mean '/,
    ],
    ['an unknown field that is null', { nothing: null }, /^ModelConfig has no field 'nothing'/],
    ['a name that objects have', { constructor: 1 }, /^ModelConfig has no field 'constructor'/],
    ['text for a number', { max_batch_size: 'four' }, /^field 'max_batch_size': expected .*, found "four"$/],
    ['a fraction for an integer', { max_batch_size: 1.5 }, /^field 'max_batch_size': expected .*, found 1.5$/],
    ['a number out of range', { max_batch_size: 2 ** 31 }, /^field 'max_batch_size': expected .*, found 2147483648$/],
    ['a number for text', { name: 4 }, "field 'name': expected a string, found 4"],
    ['a truth for text', { name: true }, "field 'name': expected a string, found true"],
    ['an object for text', { name: {} }, /^field 'name': expected .*, found {}$/],
    ['a list for a message', { optimization: [] }, "field 'optimization': expected an object, found []"],
    ['a message for a list', { input: {} }, "field 'input': expected a list, found {}"],
    ['null in a list', { input: [null] }, "field 'input[0]': expected an object, found null"],
    ['a list for a map', { parameters: [] }, "field 'parameters': expected an object, found []"],
    [
      'an unknown enum',
      { input: [{ data_type: 'FP32' }] },
      /^field 'input\[0\].data_type': expected .*, found "FP32"$/,
    ],
    [
      'a wrong item of a list',
      { input: [{}, { dims: [1, 'x'] }] },
      /^field 'input\[1\].dims\[1\]': expected .*, found "x"$/,
    ],
    ['null in a map', { parameters: { k: null } }, "field 'parameters.k': expected an object, found null"],
    ['null as text in a map', { metric_tags: { k: null } }, "field 'metric_tags.k': expected a string, found null"],
    ['a wrong value of a map', { metric_tags: { k: 1 } }, "field 'metric_tags.k': expected a string, found 1"],
    [
      'a wrong key of a map',
      { dynamic_batching: { priority_queue_policy: { x: {} } } },
      /^field 'dynamic_batching.priority_queue_policy.x': expected .*, found "x"$/,
    ],
    [
      'an integer that JSON has rounded',
      '{"dynamic_batching":{"max_queue_delay_microseconds":9007199254740993}}',
      /^field 'dynamic_batching.max_queue_delay_microseconds': expected .*, found 9007199254740992$/,
    ],
    [
      'two branches of a choice',
      { version_policy: { all: {}, latest: {} } },
      "'version_policy.latest' cannot be given together with 'version_policy.all'",
    ],
    [
      'two schedulers',
      { dynamic_batching: {}, sequenceBatching: {} },
      "'sequenceBatching' cannot be given together with 'dynamic_batching'",
    ],
  ])('%s', (_, json, text) => {
    if (typeof text === 'string') expect(refusal(json)).toBe(text);
    else expect(refusal(json)).toMatch(text);
  });

  it('is never answered with a long text', () => {
    const long = 'x'.repeat(100_000);
    for (const json of [{ max_batch_size: long }, { [long]: 1 }, { input: long }, { metric_tags: { k: [long] } }])
      expect(refusal(json).length).toBeLessThan(1000);
  });

  it('is refused by name, whatever it is', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        refusal(json);
      }),
    );
  });
});

test('names that objects have are keys like others', () => {
  const { metric_tags } = modelConfigFromJson('{"metric_tags":{"__proto__":"a","constructor":"b"}}');
  expect(Object.entries(metric_tags)).toEqual([
    ['__proto__', 'a'],
    ['constructor', 'b'],
  ]);
});
