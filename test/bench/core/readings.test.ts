import { describe, expect, test } from 'vitest';
import { binaryRequest, jsonRequest, type ModelMetadata } from '../../../bench/core/bodies.js';
import { parseGcTrace } from '../../../bench/core/gc-trace.js';
import { batchPlacements } from '../../../bench/core/metrics.js';
import { parseCpuMicroseconds, parseResidentBytes } from '../../../bench/server/proc.js';

test('CPU time adds user and system time, whatever the command is called', () => {
  const stat = '42 (node (a) b) S 1 42 42 0 -1 4194304 100 0 0 0 150 25 0 0 20 0 11 0 5 1 2';
  expect(parseCpuMicroseconds(stat)).toBe(1_750_000);
});

test('resident memory is read in bytes', () => {
  expect(parseResidentBytes('Name:\tnode\nVmHWM:\t  200 kB\nVmRSS:\t  100 kB\n')).toBe(102_400);
  expect(() => parseResidentBytes('Name:\tnode\n')).toThrow('VmRSS');
});

test('batches are added up over models by placement', () => {
  const page = `# TYPE conch_batches_total counter
conch_batches_total{model="a",version="1",placement="contiguous"} 90
conch_batches_total{model="b",placement="contiguous",version="1"} 5
conch_batches_total{model="a",version="1",placement="gathered"} 5
nv_inference_count{model="a",version="1"} 100
`;
  expect(batchPlacements(page)).toEqual({ contiguous: 95, gathered: 5 });
});

describe('--trace-gc', () => {
  test('counts what each heap grew by between its collections', () => {
    const trace = `[7:0x18a56bf0]       18 ms: Scavenge 4.0 (4.2) -> 3.0 (5.2) MB, 0.50 / 0.00 ms  (average mu = 1.000) allocation failure;
an unrelated line
[7:0x20000000]       19 ms: Scavenge 9.0 (10.0) -> 2.0 (10.0) MB, 1.00 / 0.00 ms  (average mu = 1.000) allocation failure;
[7:0x18a56bf0]       20 ms: Mark-Compact 8.0 (9.0) -> 3.0 (9.0) MB, 1.50 / 0.00 ms  (+ 2.3 ms in 41 steps) (average mu = 1.000)
`;
    expect(parseGcTrace(trace)).toEqual({ collections: 3, pausedMs: 3, allocatedBytes: 5 * 1024 * 1024 });
  });

  test('is read as newer versions of Node print it', () => {
    const trace =
      '[7:0x18a56bf0:1]    18 ms: Scavenge 4.0 (4.2) -> 3.0 (5.2) MB, pooled: 0 MB, 0.50 / 0.00 ms  (average mu = 1.000)';
    expect(parseGcTrace(trace).pausedMs).toBe(0.5);
  });
});

describe('request bodies', () => {
  const tensor = { datatype: 'INT32', shape: [-1, 16] };
  const model: ModelMetadata = {
    name: 'simple',
    inputs: [
      { name: 'INPUT0', ...tensor },
      { name: 'INPUT1', ...tensor },
    ],
    outputs: [{ name: 'OUTPUT0', ...tensor }],
  };

  test('binary: the head is as long as its header says, and the tensors follow', () => {
    const { path, headers, body } = binaryRequest(model);
    const headBytes = Number(headers['Inference-Header-Content-Length']);
    const head = JSON.parse(Buffer.from(body.subarray(0, headBytes)).toString());
    expect(path).toBe('/v2/models/simple/infer');
    expect(head.inputs[1]).toEqual({
      name: 'INPUT1',
      datatype: 'INT32',
      shape: [1, 16],
      parameters: { binary_data_size: 64 },
    });
    expect(head.outputs).toEqual([{ name: 'OUTPUT0', parameters: { binary_data: true } }]);
    expect(body.length).toBe(headBytes + 128);
  });

  test('JSON: the data of one row, and no list of outputs', () => {
    const request = JSON.parse(Buffer.from(jsonRequest(model).body).toString());
    expect(request.inputs[0]).toMatchObject({ shape: [1, 16], data: [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6, 0, 1] });
    expect(request.outputs).toBeUndefined();
  });
});
