import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ServerProcess } from '../e2e/server.js';

const EXAMPLES = new URL('../../examples/', import.meta.url);
const MODELS = new URL('models/', EXAMPLES);
const TEST_YEARS = 60;

function readActivity(): number[] {
  const [, ...lines] = readFileSync(new URL('sunspots/yearly.csv', EXAMPLES), 'utf8').trim().split('\n');
  return lines.map((line) => Number(line.split(',')[1]));
}

function rms(differences: readonly number[]): number {
  return Math.sqrt(differences.reduce((sum, value) => sum + value * value, 0) / differences.length);
}

describe('the example of sunspots', () => {
  let server: ServerProcess;

  beforeAll(async () => {
    server = await ServerProcess.start({ models: ['sunspots', 'sunspots_series'] });
  });

  afterAll(async () => {
    await server.stop();
  });

  test('forecasts year by year what it forecasts at once, over gRPC and over WebSocket', async () => {
    const script = fileURLToPath(new URL('stream.mjs', EXAMPLES));
    const places = ['--url', `http://127.0.0.1:${server.httpPort}`, '--grpc', `127.0.0.1:${server.grpcPort}`];
    const { stdout } = await promisify(execFile)(process.execPath, [script, ...places, '--years', '3']);
    expect(stdout.split('\n').filter((line) => /^ +\d{4} /.test(line))).toHaveLength(3);
    expect(stdout).toMatch(/309 years, year by year; largest difference from all at once: \d/);
  });

  test('has the error that its README states', async () => {
    const readme = readFileSync(new URL('sunspots/README.md', MODELS), 'utf8');
    const stated = /60 years: ([\d.]+)\*\* .*; taking next year to be as this one: ([\d.]+)\./.exec(readme);
    const activity = readActivity();
    const session = await ort.InferenceSession.create(fileURLToPath(new URL('sunspots_series/1/model.onnx', MODELS)));
    const input = new ort.Tensor('float32', Float32Array.from(activity), [activity.length, 1]);
    const forecast = (await session.run({ activity: input })).forecast!.data as Float32Array;
    const years = Array.from({ length: TEST_YEARS }, (_, nth) => activity.length - TEST_YEARS + nth);
    const errors = years.map((year) => forecast[year - 1]! - activity[year]!);
    const naive = years.map((year) => activity[year - 1]! - activity[year]!);
    expect([rms(errors).toFixed(1), rms(naive).toFixed(1)]).toEqual([stated![1], stated![2]]);
  });
});
