import { describe, expect, test } from 'vitest';
import type { InferResponse } from '../../src/core/infer-response.js';
import {
  errorEvent,
  type GenerateAnswer,
  generateAnswer,
  generateEvent,
  generateJson,
} from '../../src/protocols/generate-reply.js';
import { invalid } from '../../src/types/errors.js';
import type { OutputTensor, ParameterValue } from '../../src/types/infer.js';

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

function strings(...values: string[]): Uint8Array {
  const parts = values.map((value) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(Buffer.byteLength(value));
    return Buffer.concat([length, Buffer.from(value)]);
  });
  return Buffer.concat(parts);
}

function answer(
  id: string,
  outputs: readonly OutputTensor[],
  parameters: Readonly<Record<string, ParameterValue>> | null = null,
): GenerateAnswer {
  const given = parameters === null ? null : new Map(Object.entries(parameters));
  return { id, model: 'm', version: '3', parameters: given, outputs };
}

const words: OutputTensor = { name: 'text_output', datatype: 'BYTES', shape: [1, 1], bytes: strings('a "b"\né') };
const tokens: OutputTensor = {
  name: 'TOKENS',
  datatype: 'INT32',
  shape: [1, 3],
  bytes: new Uint8Array(Int32Array.of(1, -2, 3).buffer),
};

describe('an answer', () => {
  test('is flat, in alphabetical order, with all outputs, scalars unwrapped', () => {
    const outputs = [words, tokens, { ...tokens, name: 'empty', shape: [1, 0], bytes: new Uint8Array(0) }];
    const parameters = { finish: 'stop', n: 2, p: 0.5, ok: true, big: 9007199254740993n, zero: 0 };
    expect(text(generateJson(answer('i7', outputs, parameters)))).toBe(
      '{"TOKENS":[1,-2,3],"big":9007199254740993,"empty":[],"finish":"stop","id":"i7","model_name":"m","model_version":"3","n":2,"ok":true,"p":0.5,"text_output":"a \\"b\\"\\né","zero":0}',
    );
  });

  test('has no id where the request has none, and no output that was not made', () => {
    const made = [null, tokens];
    const response = {
      model: { name: 'm', version: 3 },
      plan: { outputs: made },
      parameters: null,
      hasOutput: (nth: number) => made[nth] !== null,
      output: (nth: number) => made[nth],
    } as unknown as InferResponse;
    const json = '{"TOKENS":[1,-2,3],"model_name":"m","model_version":"3"}';
    expect(text(generateJson(generateAnswer(response, '')))).toBe(json);
  });

  test('has each name once: what every answer has, then parameters, then tensors', () => {
    const outputs = [
      { ...words, name: 'id' },
      { ...tokens, name: 'x' },
      { ...words, name: 'model_name' },
    ];
    const json = text(generateJson(answer('', outputs, { x: 1, model_version: 'mine' })));
    expect(json).toBe('{"id":"a \\"b\\"\\né","model_name":"m","model_version":"3","x":1}');
    expect(JSON.parse(text(generateJson(answer('i', outputs)))).id).toBe('i');
  });

  test('with BF16 is refused by name', () => {
    const brain: OutputTensor = { name: 'b', datatype: 'BF16', shape: [1], bytes: new Uint8Array(2) };
    expect(() => generateJson(answer('', [brain]))).toThrow('sending BF16 data via JSON is not supported');
    // What was written until then is not in the next one.
    expect(text(generateJson(answer('', [])))).toBe('{"model_name":"m","model_version":"3"}');
  });
});

describe('events', () => {
  test('are one line of data each', () => {
    expect(text(generateEvent(answer('', [words])))).toBe(
      'data: {"model_name":"m","model_version":"3","text_output":"a \\"b\\"\\né"}\n\n',
    );
    expect(text(errorEvent(invalid('a "bad"\nthing')))).toBe('data: {"error":"a \\"bad\\"\\nthing"}\n\n');
  });
});
