import { describe, expect, test } from 'vitest';
import {
  FIRST_SEQUENCE_ID,
  LAST_SEQUENCE_ID,
  readDigits,
  StepTemplate,
} from '../../../bench/sequences/step-template.js';
import { MessageType } from '../../../src/protocols/grpc/proto.js';

const inputs = [{ name: 'IN', datatype: 'INT64', shape: [1, 1], bytes: Buffer.alloc(8, 7) }];
const form = (start: boolean, end: boolean) => ({ model: 'm', flags: { start, end }, inputs, outputs: ['OUT'] });
const ids = [FIRST_SEQUENCE_ID, 12_345_678, LAST_SEQUENCE_ID];

function written(template: StepTemplate, id: number, sequenceId: number): Buffer {
  const bytes = Buffer.alloc(template.length + 3);
  template.write(bytes, 3, id, sequenceId);
  return bytes.subarray(3);
}

describe('a step', () => {
  test.each(ids)('over gRPC is a message of the protocol, of sequence %i', (sequenceId) => {
    // Behind the heads of a frame and of a message.
    const message = written(new StepTemplate('grpc', form(true, false)), 42, sequenceId).subarray(9 + 5);
    const step = new MessageType('inference.ModelInferRequest').decode(message) as {
      id: string;
      parameters: Record<string, { int64_param: object; bool_param: boolean }>;
    };
    expect(step.id).toBe('00000042');
    expect(String(step.parameters.sequence_id!.int64_param)).toBe(String(sequenceId));
    expect([step.parameters.sequence_start!.bool_param, step.parameters.sequence_end!.bool_param]).toEqual([
      true,
      false,
    ]);
    expect(message.subarray(-8)).toEqual(Buffer.alloc(8, 7));
  });

  test.each(ids)('over WebSocket is JSON with tensors behind it, of sequence %i', (sequenceId) => {
    const payload = written(new StepTemplate('ws', form(false, true)), 99_999_999, sequenceId).subarray(8);
    const headBytes = payload.readUInt32LE(0);
    const head = JSON.parse(payload.toString('utf8', 4, 4 + headBytes));
    expect(head.id).toBe('99999999');
    expect(head.parameters).toEqual({ sequence_id: sequenceId, sequence_start: false, sequence_end: true });
    expect(payload.subarray(4 + headBytes)).toEqual(Buffer.alloc(8, 7));
  });

  test('without a sequence has none', () => {
    const template = new StepTemplate('ws', { ...form(false, false), flags: null });
    expect(written(template, 1, 2).includes('parameters":{"sequence')).toBe(false);
  });
});

test('digits are read as they were written', () => {
  expect(readDigits(Buffer.from('x00012034'), 1)).toBe(12_034);
});
