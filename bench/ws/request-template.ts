import { ID_DIGITS } from './generator-order.js';

/** What one request is as bytes on its connection, but for its id. */
export class RequestTemplate {
  readonly #bytes: Buffer;
  readonly #idBegin: number;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#idBegin = bytes.indexOf(`"${'0'.repeat(ID_DIGITS)}"`) + 1;
    if (this.#idBegin === 0) throw new Error(`the request has no id of ${ID_DIGITS} zeros`);
  }

  /** `count` requests one behind the other, with ids from `firstId` on. */
  repeat(count: number, firstId: number): Buffer {
    const size = this.#bytes.length;
    const requests = Buffer.allocUnsafe(count * size);
    for (let nth = 0; nth < count; nth++) {
      requests.set(this.#bytes, nth * size);
      let rest = firstId + nth;
      for (let digit = ID_DIGITS - 1; rest > 0 && digit >= 0; digit--) {
        requests[nth * size + this.#idBegin + digit] = 0x30 + (rest % 10);
        rest = Math.floor(rest / 10);
      }
    }
    return requests;
  }
}

/** @param headBytes 0 = the body is JSON */
export function httpRequest(path: string, headBytes: number, body: Buffer): Buffer {
  const length = headBytes === 0 ? [] : [`Inference-Header-Content-Length: ${headBytes}`];
  const type = headBytes === 0 ? 'application/json' : 'application/octet-stream';
  const lines = [`POST ${path} HTTP/1.1`, 'Host: 127.0.0.1', `Content-Type: ${type}`, `Content-Length: ${body.length}`];
  return Buffer.concat([Buffer.from([...lines, ...length, '\r\n'].join('\r\n')), body]);
}

const TEXT = 0x81;
const BINARY = 0x82;

/** A frame of a client (RFC 6455, 5.2); its mask is zero, which the server cannot know before it has looked. */
export function webSocketFrame(headBytes: number, body: Buffer): Buffer {
  const number = Buffer.alloc(headBytes === 0 ? 0 : 4);
  if (headBytes > 0) number.writeUInt32LE(headBytes);
  const payload = number.length + body.length;
  return Buffer.concat([frameHead(headBytes === 0 ? TEXT : BINARY, payload), number, body]);
}

/** Type, the length in 2 or 8 bytes, a mask of zeros. */
function frameHead(type: number, payload: number): Buffer {
  if (payload < 126) throw new Error(`the generator sends frames of 126 bytes and more, got ${payload}`);
  const isLong = payload > 65_535;
  const head = Buffer.alloc(isLong ? 14 : 8);
  head[0] = type;
  head[1] = 0x80 | (isLong ? 127 : 126);
  if (isLong) head.writeBigUInt64BE(BigInt(payload), 2);
  else head.writeUInt16BE(payload, 2);
  return head;
}

export function upgradeRequest(path: string): Buffer {
  const lines = ['Host: 127.0.0.1', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
  return Buffer.from(
    [`GET ${path} HTTP/1.1`, ...lines, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', '\r\n'].join('\r\n'),
  );
}
