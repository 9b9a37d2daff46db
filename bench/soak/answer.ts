import { MessageType } from '../../src/protocols/grpc/proto.js';
import type { Way } from '../sequences/channel.js';

/** An answer of the model `soak`, or an error. */
export interface Answer {
  readonly id: number;
  /** Null = there are values. */
  readonly error: string | null;
  readonly hash: number;
  readonly count: number;
  readonly sequenceId: number;
}

const OUTPUT_BYTES = 24;
const streamResponse = new MessageType('inference.ModelStreamInferResponse');

/** Reads an answer in full, unlike benches of speed do. */
export function readAnswer(way: Way, bytes: Buffer): Answer {
  return way === 'grpc' ? readGrpc(bytes) : readWebSocket(bytes);
}

interface StreamResponse {
  readonly error_message: string;
  readonly infer_response: { readonly id: string; readonly raw_output_contents: readonly Uint8Array[] };
}

function readGrpc(bytes: Buffer): Answer {
  const { error_message: error, infer_response: response } = streamResponse.decode(bytes) as unknown as StreamResponse;
  const id = Number(response.id);
  if (error !== '') return failed(id, error);
  const [output] = response.raw_output_contents;
  return values(id, Buffer.from(output!));
}

function readWebSocket(bytes: Buffer): Answer {
  // The length of the head is far below 2^24, and text begins with four characters.
  if (bytes[3] !== 0) {
    const { id, error } = JSON.parse(bytes.toString()) as { id: string | null; error: string };
    return failed(Number(id), error);
  }
  const headEnd = 4 + bytes.readUInt32LE(0);
  const { id } = JSON.parse(bytes.toString('utf8', 4, headEnd)) as { id: string };
  return values(Number(id), bytes.subarray(headEnd, headEnd + OUTPUT_BYTES));
}

function failed(id: number, error: string): Answer {
  return { id, error, hash: 0, count: 0, sequenceId: 0 };
}

function values(id: number, output: Buffer): Answer {
  const [hash, count, sequenceId] = [0, 8, 16].map((at) => Number(output.readBigInt64LE(at)));
  return { id, error: null, hash: hash!, count: count!, sequenceId: sequenceId! };
}
