import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { loadOverrides, parametersOf, readBody, unloadsDependents } from '../../src/protocols/load-request.js';
import type { ServerError } from '../../src/types/errors.js';

function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    const { code, message } = error as ServerError;
    return `${code} ${message}`;
  }
  return 'none';
}

const file = (content: unknown) => loadOverrides({ 'file:1/model.onnx': content }).files.get('1/model.onnx')!;

describe('the parameters of a load', () => {
  it('are a configuration, and files by their paths', () => {
    const { config, files } = loadOverrides({
      config: '{}',
      'file:a': 'YQ==',
      'file:1/b': Buffer.from('b'),
      'file:': '',
    });
    expect(config).toBe('{}');
    expect([...files].map(([path, bytes]) => [path, Buffer.from(bytes).toString()])).toEqual([
      ['a', 'a'],
      ['1/b', 'b'],
      ['', ''],
    ]);
  });

  it('may be none', () => {
    expect(loadOverrides({})).toEqual({ config: null, files: new Map() });
  });

  it.each([
    [{ other: 'x' }, 'other'],
    [{ Config: '{}' }, 'Config'],
    [{ file: 'YQ==' }, 'file'],
    [{ config: {} }, 'config'],
    [{ config: 1 }, 'config'],
    [{ config: null }, 'config'],
    [{ config: Buffer.from('{}') }, 'config'],
    [{ 'file:a': 1 }, 'file:a'],
    [{ 'file:a': true }, 'file:a'],
    [{ 'file:a': null }, 'file:a'],
    [{ 'file:a': ['YQ=='] }, 'file:a'],
  ])('are refused as %j', (parameters, name) => {
    expect(refusal(() => loadOverrides(parameters))).toBe(
      `INTERNAL unexpected error on creating Triton parameter '${name}': a load takes 'config', a text, and 'file:PATH', base64 over HTTP and bytes over gRPC`,
    );
  });
});

describe('a file in base64', () => {
  const anyBytes = fc.uint8Array({ maxLength: 64 });
  const plain = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

  test('is read back as any bytes that there are, as Python, MIME and URLs write it', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const text = plain(bytes);
        const unpadded = text.replace(/=+$/, '');
        const lines = text.replace(/.{1,8}/g, '$&\n');
        const dosLines = text.replace(/.{1,8}/g, '$&\r\n');
        const url = Buffer.from(bytes).toString('base64url');
        for (const form of [text, unpadded, lines, dosLines, url]) {
          expect(Buffer.from(file(form))).toEqual(Buffer.from(bytes));
        }
        expect(Buffer.from(file(bytes))).toEqual(Buffer.from(bytes));
      }),
    );
  });

  test('is refused with anything in it that is none', () => {
    const alien = fc.constantFrom('!', ' ', '.', '\t', '\0', 'é', '€', '=', '"', ',', '%');
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 32 }), alien, fc.nat(), (bytes, character, at) => {
        const text = plain(bytes);
        const digits = text.replace(/=+$/, '').length;
        const where = at % digits;
        expect(refusal(() => file(text.slice(0, where) + character + text.slice(where)))).toBe(
          "INVALID_ARGUMENT parameter 'file:1/model.onnx': expected base64, found something else",
        );
      }),
    );
  });

  it.each(['A', '=', '==', '===', 'AAAAA', 'AA=A', 'A===', 'YQ==YQ==', '{"a":1}'])('is refused as %j', (text) => {
    expect(refusal(() => file(text))).toMatch(/^INVALID_ARGUMENT parameter 'file:1\/model.onnx': expected base64/);
  });
});

test("bytes are taken as they are, and are the load request's own type", () => {
  const bytes = new Uint8Array([0, 255, 10]);
  expect([...file(bytes)]).toEqual([0, 255, 10]);
});

describe('a body', () => {
  const read = (text: string) => readBody(Buffer.from(text));

  it('is an object, and an empty one where there is none', () => {
    for (const text of ['', ' \n', '{}']) expect(read(text)).toEqual({});
    expect(read('{"parameters":{"config":"{}"}}')).toEqual({ parameters: { config: '{}' } });
  });

  it.each(['[]', 'null', '1', '"x"'])('is refused as %s', (text) => {
    expect(refusal(() => read(text))).toBe(
      `INVALID_ARGUMENT expected the body of the request to be an object, found ${text}`,
    );
  });

  it('is refused as a list that nests too deeply to be shown', () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    expect(refusal(() => read(deep))).toBe(
      'INVALID_ARGUMENT expected the body of the request to be an object, found what nests too deeply',
    );
  });

  it('is refused where it is no JSON', () => {
    expect(refusal(() => read('{'))).toMatch(/^INVALID_ARGUMENT failed to parse the request JSON buffer: /);
  });

  it('has parameters, none or an object', () => {
    expect(parametersOf({})).toEqual({});
    expect(parametersOf({ parameters: { a: 1 } })).toEqual({ a: 1 });
    for (const parameters of [null, [], 'x', 0]) {
      const text = `INVALID_ARGUMENT expected 'parameters' to be an object, found ${JSON.stringify(parameters)}`;
      expect(refusal(() => parametersOf({ parameters }))).toBe(text);
    }
  });
});

test('an unload may say whether it takes what depends on it, as a boolean; whatever else it says counts for nothing', () => {
  for (const parameters of [{}, { unload_dependents: false }, { other: 1 }])
    expect(unloadsDependents(parameters)).toBe(false);
  expect(unloadsDependents({ unload_dependents: true })).toBe(true);
  for (const unload_dependents of ['true', 1, null, {}])
    expect(refusal(() => unloadsDependents({ unload_dependents }))).toBe(
      "INTERNAL Unable to parse 'unload_dependents': expected a boolean",
    );
});
