import { expect, test } from 'vitest';
import type { PreparedRequest, PreparedStep, StepPlace } from '../../../../bench/load/encode/prepared-request.js';
import {
  type SequenceSettings,
  Sequences,
  type StepRun,
  StepsInTurn,
} from '../../../../bench/load/generator/sequence-runs.js';

function request(name: string): PreparedRequest {
  return { bytes: Buffer.from(name), idAt: -1, sequenceId: null, tensorBytes: 0 };
}

function sequenceStep(name: string): PreparedStep {
  const places: StepPlace[] = ['first', 'middle', 'last', 'only'];
  const requests = Object.fromEntries(places.map((place) => [place, request(`${name} ${place}`)]));
  return { requests, expected: null };
}

function plainStep(name: string): PreparedStep {
  return { requests: { middle: request(name) }, expected: null };
}

function names(run: StepRun): string[] {
  const found: string[] = [];
  do {
    run.next(false);
    found.push(run.request.bytes.toString());
  } while (!run.isLast);
  return found;
}

const settings: SequenceSettings = { alive: 2, length: 3, lengthVariationPercent: 0, firstId: 5, lastId: 8, seed: 1 };
const streams = [[sequenceStep('a0'), sequenceStep('a1')], [sequenceStep('b0')]];

test('a model without sequences gets all steps of all streams in turn, and begins again', () => {
  const source = new StepsInTurn([[plainStep('a'), plainStep('b')], [plainStep('c')]], 0, 1);
  const run = source.begin();
  const found = Array.from({ length: 7 }, () => {
    run.next(false);
    return run.request.bytes.toString();
  });
  expect(found).toEqual(['b', 'c', 'a', 'b', 'c', 'a', 'b']);
  expect(run.sequenceId).toBe(0);
  expect(run.isLast).toBe(false);
});

test('a sequence begins, goes on and ends; streams take turns and are repeated where a sequence is longer', () => {
  const source = new Sequences(streams, settings, 0, 1);
  expect(names(source.begin())).toEqual(['a0 first', 'a1 middle', 'a0 last']);
  expect(names(source.begin())).toEqual(['b0 first', 'b0 middle', 'b0 last']);
});

test('length 0 is that of the stream', () => {
  const source = new Sequences(streams, { ...settings, length: 0 }, 0, 1);
  expect(names(source.begin())).toEqual(['a0 first', 'a1 last']);
  expect(names(source.begin())).toEqual(['b0 only']);
});

test('a sequence that has to end does so with its next step', () => {
  const run = new Sequences(streams, { ...settings, length: 10 }, 0, 1).begin();
  run.next(false);
  run.next(true);
  expect(run.request.bytes.toString()).toBe('a1 last');
  expect(run.isLast).toBe(true);
});

test('ids go round in their range', () => {
  const source = new Sequences(streams, settings, 0, 1);
  expect(Array.from({ length: 6 }, () => source.begin().sequenceId)).toEqual([5, 6, 7, 8, 5, 6]);
});

test('threads never have an id of each other', () => {
  const ids = [0, 1, 2].map((nth) => {
    const source = new Sequences(streams, { ...settings, firstId: 1, lastId: 10 }, nth, 3);
    return new Set(Array.from({ length: 20 }, () => source.begin().sequenceId));
  });
  expect(ids.map((set) => [...set].sort((a, b) => a - b))).toEqual([
    [1, 4, 7, 10],
    [2, 5, 8],
    [3, 6, 9],
  ]);
});

test('lengths vary by the percentage, either way', () => {
  const source = new Sequences(streams, { ...settings, length: 20, lengthVariationPercent: 20 }, 0, 1);
  const lengths = Array.from({ length: 500 }, () => names(source.begin()).length);
  expect(Math.min(...lengths)).toBe(16);
  expect(Math.max(...lengths)).toBe(24);
});
