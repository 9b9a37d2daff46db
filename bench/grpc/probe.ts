import { Client, credentials } from '@grpc/grpc-js';
import { unaryPath } from './messages.js';

const keep = (bytes: Buffer) => bytes;
const deadlineMs = 10_000;

/**
 * Sends the message once, outside of the load: it has to succeed before it is worth repeating. The size of the body of the
 * answer: its message and what is before it.
 */
export async function probeGrpc(port: number, message: Uint8Array, path = unaryPath): Promise<number> {
  const unlimited = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), unlimited);
  try {
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const deadline = Date.now() + deadlineMs;
      client.makeUnaryRequest(path, keep, keep, Buffer.from(message), { deadline }, (error, value) => {
        if (error !== null) reject(error);
        else resolve(value!);
      });
    });
    return 5 + answer.length;
  } finally {
    client.close();
  }
}
