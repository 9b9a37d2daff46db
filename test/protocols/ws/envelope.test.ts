import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findId, readEnvelope } from '../../../src/protocols/envelope.js';
import { ServerError } from '../../../src/types/errors.js';

const read = (text: string) => readEnvelope(Buffer.from(text), 0, Buffer.byteLength(text));
const idIn = (text: string) => findId(Buffer.from(text), 0, Buffer.byteLength(text));
const nothing = { cancel: null, id: '', modelName: '', modelVersion: '' };

describe('an envelope', () => {
  test.each([
    ['{}', nothing],
    ['\ufeff {"id" : "a"}', { ...nothing, id: 'a' }],
    ['{"cancel":"a"}', { ...nothing, cancel: 'a' }],
    ['{"cancel":""}', { ...nothing, cancel: '' }],
    [
      '{"inputs":[{"id":"no","data":["]"]}],"model_name":"m","model_version":"2"}',
      { ...nothing, modelName: 'm', modelVersion: '2' },
    ],
    ['{"model_name":"first","model_name":"second","id":7}', { ...nothing, modelName: 'first' }],
    ['{"parameters":{"cancel":"no"},"x":"}","y":-1e3,"z":null,"id":"\\u00e9\\""}', { ...nothing, id: 'é"' }],
  ])('of %s', (text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  test.each([
    '',
    ' ',
    '[]',
    '"a"',
    '{',
    '{"a"}',
    '{"a":1,}',
    '{"cancel":1}',
    '{"model_name":null}',
    '{"model_version":1}',
  ])('is not to be had of %s', (text) => {
    expect(() => read(text)).toThrow(ServerError);
  });

  test('of any JSON object has its own members, wherever they are', () => {
    const own = fc.record({
      id: fc.string(),
      cancel: fc.string(),
      model_name: fc.string(),
      model_version: fc.string(),
    });
    const others = fc.dictionary(
      fc.string().map((name) => `x${name}`),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(own, others, fc.boolean(), (members, more, isFirst) => {
        const text = JSON.stringify(isFirst ? { ...members, ...more } : { ...more, ...members });
        const { cancel, id, model_name: modelName, model_version: modelVersion } = members;
        expect(read(text)).toEqual({ cancel, id, modelName, modelVersion });
        expect(idIn(text)).toBe(id);
      }),
    );
  });

  test('of any bytes is at worst a ServerError', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const body = Buffer.concat([Buffer.from('{"id":'), bytes]);
        findId(body, 0, body.length);
        try {
          readEnvelope(body, 0, body.length);
        } catch (error) {
          expect(error).toBeInstanceOf(ServerError);
        }
      }),
    );
  });
});

test.each([
  ['{"id":"a","inputs":[{]}', 'a'],
  ['{"inputs":[{"broken', ''],
  ['{"id":7}', ''],
  ['nothing', ''],
])('the id in %s is found as far as it can be made out', (text, id) => {
  expect(idIn(text)).toBe(id);
});
