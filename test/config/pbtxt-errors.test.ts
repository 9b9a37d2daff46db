import { describe, expect, test } from 'vitest';
import { parseModelConfig } from '../../src/config/pbtxt.js';
import { ServerError } from '../../src/types/errors.js';

/** Where and why `text` is refused: what follows the file's name. */
function refusal(text: string): string {
  try {
    parseModelConfig(text, 'm/config.pbtxt');
  } catch (error) {
    expect(error).toBeInstanceOf(ServerError);
    const { code, message } = error as ServerError;
    expect(code).toBe('INVALID_ARGUMENT');
    expect(message.startsWith('m/config.pbtxt:')).toBe(true);
    return message.slice('m/config.pbtxt:'.length);
  }
  return 'accepted';
}

describe('names', () => {
  test.each([
    ['nmae: "a"', "1:1: ModelConfig has no field 'nmae'; did you mean 'name'?"],
    [
      'name: "m"\ninput [\n  {\n    dim: [ 1 ]\n  }\n]',
      "4:5: 'input' (ModelInput) has no field 'dim'; did you mean 'dims'?",
    ],
    [
      'dynamic_batching { prefered_batch_size: [ 4 ] }',
      "1:20: 'dynamic_batching' (ModelDynamicBatching) has no field 'prefered_batch_size'; did you mean 'preferred_batch_size'?",
    ],
    [
      'instance_group { kind: KIND_CPUS }',
      "1:24: field 'instance_group.kind': expected one of KIND_AUTO, KIND_GPU, KIND_CPU, KIND_MODEL (did you mean KIND_CPU?), found 'KIND_CPUS'",
    ],
    [
      'instance_group { kind: 7 }',
      "1:24: field 'instance_group.kind': expected one of KIND_AUTO, KIND_GPU, KIND_CPU, KIND_MODEL, found '7'",
    ],
    [
      'instance_group { kind: "KIND_CPU" }',
      '1:24: field \'instance_group.kind\': expected one of KIND_AUTO, KIND_GPU, KIND_CPU, KIND_MODEL, found the string "KIND_CPU"',
    ],
    ['parameters { key: "a" valeu { } }', "1:23: 'parameters' (map entry) has no field 'valeu'; did you mean 'value'?"],
    ['[nvidia.ext] { }', "1:1: expected a field of ModelConfig, found '['"],
    ['"name": "m"', '1:1: expected a field of ModelConfig, found the string "name"'],
  ])('%s', (text, expected) => {
    expect(refusal(text)).toBe(expected);
  });
});

describe('structure', () => {
  test.each([
    ['name: "a"\nname: "b"', "2:1: field 'name' is given twice"],
    ['optimization { }\noptimization { }', "2:1: field 'optimization' is given twice"],
    [
      'version_policy {\n  latest { } all { }\n}',
      "2:14: field 'version_policy.all' cannot be given together with 'version_policy.latest'",
    ],
    [
      'dynamic_batching { } sequence_batching { }',
      "1:22: field 'sequence_batching' cannot be given together with 'dynamic_batching'",
    ],
    ['metric_tags { key: "a" key: "b" }', "1:24: field 'metric_tags.key' is given twice"],
    ['name "a"', "1:6: field 'name': expected ':', found the string \"a\""],
    ['name: [ "a" ]', "1:7: field 'name' takes one value, found a list"],
    ['optimization [ { } ]', "1:14: field 'optimization' takes one value, found a list"],
    ['input: 5', "1:8: field 'input': expected '{', found '5'"],
    [
      'input { dims: { } }',
      "1:15: field 'input.dims': expected an integer from -9223372036854775808 to 9223372036854775807, found '{'",
    ],
    ['input [ { name: "a" } { name: "b" } ]', "1:23: field 'input': expected ',' or ']', found '{'"],
    [
      'input { dims: [ 1, ] }',
      "1:20: field 'input.dims': expected an integer from -9223372036854775808 to 9223372036854775807, found ']'",
    ],
    ['input { dims [ 1 ] }', "1:14: field 'input.dims': expected ':', found '['"],
    ['input < name: "a" }', "1:19: expected a field of 'input' (ModelInput) or '>', found '}'"],
    ['input {\n  name: "a"\n', "3:1: expected '}' to close 'input', found the end of the file"],
    ['name:', "1:6: field 'name': expected a quoted string, found the end of the file"],
    ['name: "a",,', "1:11: expected a field of ModelConfig, found ','"],
    ['}', "1:1: expected a field of ModelConfig, found '}'"],
  ])('%s', (text, expected) => {
    expect(refusal(text)).toBe(expected);
  });
});

describe('strings', () => {
  test.each([
    ['name: "a\nb"', '1:7: the string that begins here has no closing "'],
    ['name: \'a"', "1:7: the string that begins here has no closing '"],
    [String.raw`name: "\q"`, String.raw`1:8: '\q' begins no escape that a string can have`],
    [String.raw`name: "ab\400"`, String.raw`1:10: '\4' begins no escape that a string can have`],
    [String.raw`name: "\ud800"`, String.raw`1:8: '\u' begins no escape that a string can have`],
    [String.raw`name: "\U00110000"`, String.raw`1:8: '\U' begins no escape that a string can have`],
    [String.raw`name: "\xff"`, '1:7: the escapes of the string that begins here are no UTF-8'],
    ['name: m', "1:7: field 'name': expected a quoted string, found 'm'"],
    ['name: 5', "1:7: field 'name': expected a quoted string, found '5'"],
  ])('%s', (text, expected) => {
    expect(refusal(text)).toBe(expected);
  });
});

describe('numbers', () => {
  const int32 = 'an integer from -2147483648 to 2147483647';

  test.each(['2147483648', '-2147483649', '1.0', '1e3', '1f', '089', 'inf', '"8"', 'true'])(
    '%s is no int32',
    (text) => {
      const found = text.startsWith('"') ? `the string ${text}` : `'${text}'`;
      expect(refusal(`max_batch_size: ${text}`)).toBe(
        `1:17: field 'max_batch_size': expected ${int32}, found ${found}`,
      );
    },
  );

  test.each([
    ['max_batch_size: 2147483647'],
    ['max_batch_size: -2147483648'],
    ['version_policy { latest { num_versions: 4294967295 } }'],
    ['version_policy { specific { versions: [ 9223372036854775807, -9223372036854775808 ] } }'],
    ['dynamic_batching { max_queue_delay_microseconds: 18446744073709551615 }'],
  ])('the ends of the range are in it: %s', (text) => {
    expect(refusal(text)).toBe('accepted');
  });

  test.each([
    ['version_policy { latest { num_versions: 4294967296 } }', 'an integer from 0 to 4294967295'],
    ['version_policy { latest { num_versions: -1 } }', 'an integer from 0 to 4294967295'],
    ['version_policy { specific { versions: 9223372036854775808 } }', 'to 9223372036854775807'],
    ['dynamic_batching { max_queue_delay_microseconds: 18446744073709551616 }', 'to 18446744073709551615'],
    ['dynamic_batching { max_queue_delay_microseconds: -1 }', 'an integer from 0 to'],
    ['dynamic_batching { preserve_ordering: 2 }', 'expected true or false'],
    ['dynamic_batching { preserve_ordering: yes }', 'expected true or false'],
    ['dynamic_batching { preserve_ordering: "true" }', 'expected true or false'],
    ['sequence_batching { direct { minimum_slot_utilization: 0x1 } }', 'expected a decimal number, inf or nan'],
    ['sequence_batching { direct { minimum_slot_utilization: half } }', 'expected a decimal number, inf or nan'],
    ['sequence_batching { direct { minimum_slot_utilization: "0.5" } }', 'expected a decimal number, inf or nan'],
  ])('%s', (text, expected) => {
    expect(refusal(text)).toContain(expected);
  });

  test.each([
    ['max_batch_size: 8rows', "1:17: '8rows' is no number"],
    ['max_batch_size: 1.2.3', "1:17: '1.2.3' is no number"],
    ['max_batch_size: 0x', "1:17: '0x' is no number"],
    ['max_batch_size: --1', "1:17: expected a number behind '-'"],
    ['max_batch_size: -x', "1:17: expected a number behind '-'"],
    ['max_batch_size: +1', '1:17: unexpected character "+"'],
    ['max_batch_size: 😀', '1:17: unexpected character "😀"'],
  ])('%s', (text, expected) => {
    expect(refusal(text)).toBe(expected);
  });
});

describe('hostile files', () => {
  test('a value as long as the file is quoted in part', () => {
    expect(refusal(`max_batch_size: "${'a'.repeat(100_000)}"`).length).toBeLessThan(300);
    expect(refusal(`max_batch_size: ${'1'.repeat(100_000)}`).length).toBeLessThan(300);
    expect(refusal('x'.repeat(100_000)).length).toBeLessThan(300);
    expect(refusal(`max_batch_size: 1${'x'.repeat(100_000)}`).length).toBeLessThan(300);
  });

  test('megabytes of comments, blanks and braces neither recurse nor take long', () => {
    expect(refusal('# c\n \n'.repeat(500_000))).toBe('accepted');
    expect(refusal('input { '.repeat(500_000))).toContain("1:9: 'input' (ModelInput) has no field 'input'");
    expect(refusal('input { } '.repeat(100_000))).toBe('accepted');
  });
});
