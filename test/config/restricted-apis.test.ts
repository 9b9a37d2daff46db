import { describe, expect, test } from 'vitest';
import { readRestrictedApis } from '../../src/config/restricted-apis.js';

const read = (...texts: string[]) => readRestrictedApis('http-restricted-api', 'api', texts, 'x-');

describe('restricted APIs', () => {
  test('each category has its header and value; all behind the first = is the value', () => {
    expect([...read('health, model-repository:Admin-Key=a=b:c', 'trace:k=v')]).toEqual([
      ['health', { header: 'x-admin-key', value: 'a=b:c' }],
      ['model-repository', { header: 'x-admin-key', value: 'a=b:c' }],
      ['trace', { header: 'x-k', value: 'v' }],
    ]);
  });

  test.each([
    ['health', 'expected API[,API...]:KEY=VALUE in the first --http-restricted-api'],
    ['health:key=', 'expected API'],
    [':key=secret', 'expected API'],
    ['health:=secret', "'' is no name of a header"],
    ['health:a b=secret', "'a b' is no name of a header"],
    ['health,infer:key=secret', "unknown restricted api 'infer': expected health, metadata, inference, shared-memory"],
    ['health,health:key=secret', "restricted api 'health' can not be specified in multiple config groups"],
  ])('%s is refused, and the value is not shown', (text, message) => {
    let said = '';
    try {
      read(text);
    } catch (error) {
      said = String(error);
    }
    expect(said).toContain('--http-restricted-api');
    expect(said).toContain(message);
    expect(said).not.toContain('secret');
  });

  test('those of gRPC are called protocols, as by Triton', () => {
    const readProtocols = (text: string) => () =>
      readRestrictedApis('grpc-restricted-protocol', 'protocol', [text], 'triton-grpc-protocol-');
    expect(readProtocols('infer:k=v')).toThrow("unknown restricted protocol 'infer': expected health");
    expect(readProtocols('health,health:k=v')).toThrow(
      "restricted protocol 'health' can not be specified in multiple config groups",
    );
  });
});
