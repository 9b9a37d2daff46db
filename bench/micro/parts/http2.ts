import assert from 'node:assert/strict';
import { FrameReader, type FrameSink } from '../../../src/transport/http2/frame-reader.js';
import { encodeFields } from '../../../src/transport/http2/hpack/encoder.js';
import { grpcFields } from '../fixtures/grpc-fields.js';
import type { Part, Running } from '../part.js';

/** Calls in a chunk, each of HEADERS and DATA. */
const CALLS = 16;
const MESSAGE_BYTES = 256;
/** RFC 9113, 6.1 and 6.2. */
const [DATA, HEADERS] = [0, 1];
const END_STREAM = 0x1;
const END_HEADERS = 0x4;

function frame(type: number, flags: number, streamId: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, payload]);
}

function calls(): Buffer {
  const fields = encodeFields(grpcFields).bytes;
  const message = Buffer.alloc(MESSAGE_BYTES, 7);
  return Buffer.concat(
    Array.from({ length: CALLS }, (_, nth) => [
      frame(HEADERS!, END_HEADERS, 2 * nth + 1, fields),
      frame(DATA!, END_STREAM, 2 * nth + 1, message),
    ]).flat(),
  );
}

class CountingSink implements FrameSink {
  frames = 0;
  dataBytes = 0;

  begin(): void {
    this.frames++;
  }

  data(_bytes: Buffer, start: number, end: number): void {
    this.dataBytes += end - start;
  }

  dataEnd(): void {}

  frame(): void {}
}

/** @param pieceBytes of the chunks; a frame may begin in one and end in the next */
function reading(pieceBytes: number): Running {
  const bytes = calls();
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, nth) =>
    bytes.subarray(nth * pieceBytes, (nth + 1) * pieceBytes),
  );
  const sink = new CountingSink();
  const reader = new FrameReader(sink, 16_384);
  const step = (): number => {
    for (const piece of pieces) reader.read(piece, 0);
    return sink.dataBytes;
  };
  assert.equal(step(), CALLS * MESSAGE_BYTES);
  assert.equal(sink.frames, 2 * CALLS);
  return { step };
}

export const parts: readonly Part[] = [
  { name: 'http2/frames-32', about: 'a chunk of 32 frames: 16 of HEADERS, 16 of DATA', setUp: () => reading(1 << 20) },
  { name: 'http2/frames-32-split', about: 'the same in chunks of 100 bytes', setUp: () => reading(100) },
];
