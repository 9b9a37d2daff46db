import { BadAnswer } from './failures.js';

/** What stands before a message of gRPC: a flag, and the length in 4 bytes. */
export const PREFIX_BYTES = 5;

/** Of the message that begins at `at`, with its prefix; 0 = the prefix is not whole. */
export function grpcMessageBytes(bytes: Buffer, at: number, available: number): number {
  if (bytes[at] !== 0) throw new BadAnswer('a compressed message, which was not asked for');
  return available < PREFIX_BYTES ? 0 : PREFIX_BYTES + bytes.readUInt32BE(at + 1);
}
