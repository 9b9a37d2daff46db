import type { RequestLimits } from '../../../src/transport/http1/limits.js';
import { RequestParser } from '../../../src/transport/http1/request-parser.js';

export const usualLimits: RequestLimits = { maxBodyBytes: 1 << 20, maxHeaderBytes: 8192, maxHeaderCount: 50 };

/** A request as it came out of a parser. */
export interface Parsed {
  readonly method: string;
  readonly path: string;
  readonly fields: readonly string[];
  readonly contentLength: number;
  readonly keepAlive: boolean;
  body: string;
  isComplete: boolean;
}

export interface ParsedAll {
  readonly requests: Parsed[];
  /** Status of the refusal with which it ended; 0 = the parser waits for more. */
  readonly refused: number;
  readonly message: string;
  readonly isInside: boolean;
}

export const host = 'Host: a\r\n';
export const get = (path = '/', fields = '') => `GET ${path} HTTP/1.1\r\n${host}${fields}\r\n`;
export const post = (fields: string, body = '') => `POST / HTTP/1.1\r\n${host}${fields}\r\n${body}`;
export const chunked = (body: string) => post('Transfer-Encoding: chunked\r\n', body);

/** Latin-1: a byte for each character. Each piece is pushed by itself, from the one buffer that a server has for all of them. */
export function parse(pieces: string | readonly string[], limits: Partial<RequestLimits> = {}): ParsedAll {
  const parser = new RequestParser({ ...usualLimits, ...limits });
  const requests: Parsed[] = [];
  const all = typeof pieces === 'string' ? [pieces] : pieces;
  const buffer = Buffer.alloc(Math.max(0, ...all.map((piece) => piece.length)) + 1);
  for (const piece of all) {
    parser.push(buffer, buffer.write(piece, 'latin1'));
    if (!takeAll(parser, requests)) break;
    buffer.fill('!');
  }
  const { refusal, isInside } = parser;
  return { requests, refused: refusal?.status ?? 0, message: refusal?.message ?? '', isInside };
}

/** False = refused. */
function takeAll(parser: RequestParser, requests: Parsed[]): boolean {
  for (;;) {
    switch (parser.next()) {
      case 'head':
        requests.push(readHead(parser));
        break;
      case 'body':
        requests.at(-1)!.body += Buffer.from(parser.body).toString('latin1');
        break;
      case 'end':
        requests.at(-1)!.body += Buffer.from(parser.body).toString('latin1');
        requests.at(-1)!.isComplete = true;
        break;
      case 'refused':
        return false;
      default:
        return true;
    }
  }
}

function readHead({ head }: RequestParser): Parsed {
  const fields: string[] = [];
  head.each((name, value) => fields.push(`${name}=${value}`));
  const { method, path, contentLength, keepAlive } = head;
  return { method, path, fields, contentLength, keepAlive, body: '', isComplete: contentLength === 0 };
}

/** Status with which the only request of `text` is refused; 0 = it is taken. */
export function refusalOf(text: string, limits: Partial<RequestLimits> = {}): number {
  return parse(text, limits).refused;
}
