import { describe, expect, test } from 'vitest';
import { Sampling } from '../../../src/telemetry/trace/sampling.js';
import { defaultTraceSettings, type TraceSettings } from '../../../src/telemetry/trace/settings.js';

const on: TraceSettings = { ...defaultTraceSettings, levels: ['TIMESTAMPS'], rate: 1, file: 'trace.json' };
const otel: TraceSettings = { ...on, file: '', mode: 'opentelemetry' };

function taken(sampling: Sampling, model: string, requests: number): number[] {
  return Array.from({ length: requests }, (_, index) => index + 1).filter(() => sampling.take(model, false));
}

describe('which requests are traced', () => {
  test('none by default', () => {
    const sampling = new Sampling(defaultTraceSettings);
    expect(sampling.isOn).toBe(false);
    expect(taken(sampling, 'm', 2000)).toEqual([]);
  });

  test('every Nth of all models together', () => {
    const sampling = new Sampling({ ...on, rate: 3 });
    expect(sampling.isOn).toBe(true);
    expect(['a', 'b', 'c', 'a', 'a', 'b', 'a'].map((model) => sampling.take(model, false))).toEqual([
      false,
      false,
      true,
      false,
      false,
      true,
      false,
    ]);
  });

  test('a model with settings of its own counts for itself', () => {
    const sampling = new Sampling({ ...on, rate: 3 });
    sampling.change('own', { rate: 2 });
    expect(taken(sampling, 'own', 5)).toEqual([2, 4]);
    expect(taken(sampling, 'other', 5)).toEqual([3]);
  });

  test('a request whose model is not known yet is one of all, as long as no model counts for itself', () => {
    const sampling = new Sampling({ ...on, rate: 2 });
    expect(sampling.countsByModel).toBe(false);
    expect(['a', null, 'b', null, null].map((model) => sampling.take(model, false))).toEqual([
      false,
      true,
      false,
      true,
      false,
    ]);
    sampling.giveBack(null);
    expect(sampling.take('a', false)).toBe(true);
    sampling.change('a', { rate: 5 });
    expect(sampling.countsByModel).toBe(true);
    sampling.change('a', { rate: null });
    expect(sampling.countsByModel).toBe(false);
  });

  test('as many as are left, and then tracing is off', () => {
    const sampling = new Sampling({ ...on, count: 2 });
    expect(taken(sampling, 'm', 5)).toEqual([1, 2]);
    expect(sampling.settingsOf(null).count).toBe(0);
    expect(sampling.isOn).toBe(false);
    sampling.change(null, { count: 1 });
    expect(sampling.isOn).toBe(true);
    expect(taken(sampling, 'm', 5)).toEqual([1]);
  });

  test('a sampled parent counts whatever the rate, and only as long as traces are left', () => {
    const sampling = new Sampling({ ...otel, rate: 0, count: 2 });
    expect(sampling.isOn).toBe(true);
    expect([false, true, false, true, true].map((wanted) => sampling.take('m', wanted))).toEqual([
      false,
      true,
      false,
      true,
      false,
    ]);
    expect(sampling.isOn).toBe(false);
  });

  test('a parent is nothing to a model that is OFF', () => {
    const sampling = new Sampling(otel);
    sampling.change('m', { levels: [] });
    expect(sampling.take('m', true)).toBe(false);
    expect(sampling.take('other', true)).toBe(true);
  });
});

describe('changes', () => {
  test('a model says some fields itself, and follows the server in the others, also later', () => {
    const sampling = new Sampling(defaultTraceSettings);
    sampling.change('m', { rate: 5, count: 7 });
    sampling.change(null, { rate: 9, logFrequency: 4 });
    expect(sampling.settingsOf('m')).toMatchObject({ rate: 5, count: 7, logFrequency: 4 });
    expect(sampling.settingsOf('other')).toMatchObject({ rate: 9, count: -1, logFrequency: 4 });
  });

  test('null: a model falls back to the server, the server to its command line', () => {
    const sampling = new Sampling({ ...on, rate: 10 });
    sampling.change(null, { rate: 20 });
    sampling.change('m', { rate: 30, count: 3 });
    sampling.change('m', { rate: null });
    expect(sampling.settingsOf('m')).toMatchObject({ rate: 20, count: 3 });
    sampling.change(null, { rate: null });
    expect([sampling.settingsOf('m').rate, sampling.settingsOf(null).rate]).toEqual([10, 10]);
    sampling.change('m', { count: null, levels: null });
    expect(sampling.settingsOf('m')).toEqual(sampling.settingsOf(null));
  });

  test('what is left goes on through changes of other fields', () => {
    const sampling = new Sampling(on);
    sampling.change('m', { count: 5 });
    expect(taken(sampling, 'm', 2)).toEqual([1, 2]);
    sampling.change('m', { logFrequency: 3 });
    sampling.change(null, { logFrequency: 2 });
    expect(sampling.settingsOf('m')).toMatchObject({ count: 3, logFrequency: 3 });
  });

  test('what is given back goes to the next request, and to nobody else', () => {
    const sampling = new Sampling({ ...on, rate: 3, count: 1 });
    expect(taken(sampling, 'm', 3)).toEqual([3]);
    expect(sampling.isOn).toBe(false);
    sampling.giveBack('m');
    expect(sampling.isOn).toBe(true);
    expect(taken(sampling, 'm', 5)).toEqual([1]);
  });

  test('one model alone can switch tracing on', () => {
    const sampling = new Sampling({ ...on, levels: [] });
    sampling.change('m', { levels: ['TIMESTAMPS'] });
    expect(sampling.isOn).toBe(true);
    expect(taken(sampling, 'other', 3)).toEqual([]);
    sampling.change('m', { levels: null });
    expect(sampling.isOn).toBe(false);
  });

  test.each([
    [{ ...on, rate: 0 }, 'sample rate must be non-zero'],
    [{ ...on, file: '' }, 'trace file name is not given'],
  ])('what cannot be traced is refused at the start and later', (settings, reason) => {
    const text = `Attempting to set invalid trace setting :${reason}`;
    expect(() => new Sampling(settings)).toThrow(text);
    const sampling = new Sampling({ ...settings, levels: [] });
    for (const model of [null, 'm']) {
      expect(() => sampling.change(model, { levels: ['TIMESTAMPS'] })).toThrow(text);
      expect(sampling.settingsOf(model)).toEqual({ ...settings, levels: [] });
    }
    expect(sampling.isOn).toBe(false);
  });
});
