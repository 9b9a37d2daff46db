import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { InferPlan } from '../../../src/core/check-request.js';
import type { AcceptedRequest, InferResponse, Responder } from '../../../src/core/infer-response.js';
import { ClientRegions } from '../../../src/core/regions/client-regions.js';
import { admitWithRegions } from '../../../src/core/regions/region-request.js';
import type { ServedModel } from '../../../src/core/served-model.js';
import { ServerError } from '../../../src/types/errors.js';
import { RegionFile } from '../../e2e/region-file.js';

const bytes = new Uint8Array(64);
/** What the model was told, and what the responder was. */
let said: string[];
let file: RegionFile;
let regions: ClientRegions;
/** Whom the model answers. */
let asked: Responder;
let failsAt: '' | 'admit' | 'submit';

/** Input `nth` of the plan lies at 8 * `nth` in the arena, the output at 32. */
const model = {
  arena: { bytes },
  admit: (plan: InferPlan, _sizes: readonly number[], responder: Responder): AcceptedRequest => {
    if (failsAt === 'admit') throw new ServerError('UNAVAILABLE', 'no');
    asked = responder;
    return {
      model: model as never,
      plan,
      trace: null,
      requestId: '',
      isTimed: false,
      inputBegin: (nth) => 8 * nth,
      inputBytes: () => 4,
      submit: () => {
        if (failsAt === 'submit') throw new ServerError('UNAVAILABLE', 'no');
        said.push('submitted');
      },
      abandon: () => said.push('abandoned'),
      cancel: () => said.push('cancelled'),
    };
  },
};

const responder: Responder = {
  onResponse: (response) => said.push(`answer ${file.read(12, 1)[0]}${response.isFinal ? '.' : ''}`),
  onError: ({ message }) => said.push(message),
  onStalled: () => true,
};

function planWith(room: number): InferPlan {
  const inputs = [0, 8].map((offset) => ({
    head: { name: 'A', source: { kind: 'shared', region: 'r', byteSize: 4, offset } },
  }));
  const outputs = [{ name: 'Y', shared: { region: 'r', byteSize: room, offset: 12 } }];
  return { usesRegions: true, inputs, outputs: [{}], head: { outputs } } as unknown as InferPlan;
}

function admit(room = 4): AcceptedRequest {
  return admitWithRegions(regions, model as unknown as ServedModel, planWith(room), [4, 4], responder);
}

function answer(value: number, isFinal: boolean, isEmpty = false): void {
  bytes[32] = value;
  const response = {
    model,
    isFinal,
    isEmpty,
    hasOutput: () => !isEmpty,
    outputBytes: () => 4,
    outputBegin: () => 32,
    release: () => said.push('released'),
  };
  asked.onResponse(response as unknown as InferResponse);
}

/** Whether the region was let go of. */
function isFree(): boolean {
  regions.unregister('r');
  return regions.list().length === 0;
}

beforeEach(() => {
  said = [];
  failsAt = '';
  bytes.fill(0);
  file = new RegionFile(Uint8Array.from({ length: 16 }, (_, index) => index));
  regions = new ClientRegions(true);
  regions.register({ name: 'r', key: file.key, offset: 0, byteSize: 16 });
});

afterEach(() => file.remove());

test('inputs are read when it is submitted, the output is written before the answer is told, and then the region is free', () => {
  const request = admit();
  expect([...bytes.subarray(0, 16)]).toEqual(new Array(16).fill(0));
  request.submit();
  expect([...bytes.subarray(0, 16)]).toEqual([0, 1, 2, 3, 0, 0, 0, 0, 8, 9, 10, 11, 0, 0, 0, 0]);
  answer(77, true);
  expect(said).toEqual(['submitted', 'answer 77.']);
  expect(isFree()).toBe(true);
});

test('of several answers each is written, and the last frees the region', () => {
  admit().submit();
  answer(1, false);
  answer(2, false);
  expect(isFree()).toBe(false);
  answer(3, true, true);
  expect(said).toEqual(['submitted', 'answer 1', 'answer 2', 'answer 2.']);
  expect(regions.list()).toEqual([]);
});

test('the stand of a client that does not read is asked of its responder', () => {
  admit().submit();
  expect(asked.onStalled!()).toBe(true);
});

describe('the region is free', () => {
  test.each(['admit', 'submit'] as const)('when the model refuses to %s', (when) => {
    failsAt = when;
    expect(() => admit().submit()).toThrow('no');
    expect(said).toEqual([]);
    expect(isFree()).toBe(true);
  });

  test('when one of its tensors lies outside', () => {
    expect(() => admit(5)).toThrow("Invalid offset + byte size for shared memory region: 'r'");
    expect(isFree()).toBe(true);
  });

  test.each(['abandon', 'cancel'] as const)('after %s', (how) => {
    admit()[how]();
    expect(said).toEqual([how === 'cancel' ? 'cancelled' : 'abandoned']);
    expect(isFree()).toBe(true);
  });

  test('after an error, and a cancel behind it changes nothing', () => {
    const request = admit();
    request.submit();
    asked.onError(new ServerError('INTERNAL', 'broken'));
    request.cancel();
    expect(said).toEqual(['submitted', 'broken', 'cancelled']);
    expect(isFree()).toBe(true);
  });

  test('when the file has become too short for an input: the request is given back', () => {
    const request = admit();
    file.truncate(10);
    expect(() => request.submit()).toThrow("no longer holds input 'A'");
    expect(said).toEqual(['abandoned']);
    expect(isFree()).toBe(true);
  });

  test.each([
    [true, ['submitted', 'released']],
    [false, ['submitted', 'released', 'cancelled']],
  ])('when an answer has too little room; final: %s', (isFinal, before) => {
    admit(3).submit();
    answer(1, isFinal);
    const text =
      "shared memory size specified with the request for output 'Y' (3 bytes) should be at least 4 bytes to hold the results";
    expect(said).toEqual([...before, text]);
    expect(isFree()).toBe(true);
  });
});
