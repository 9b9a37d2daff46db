import { encodeFields, encodeFrequent, type HeaderBlock } from '../../transport/http2/hpack/encoder.js';
import { GRPC_RESOURCE_EXHAUSTED } from '../status.js';
import type { Algorithm } from './message-codec.js';

const CONTENT_TYPE = ['content-type', 'application/grpc'] as const;
const ACCEPTS = ['grpc-accept-encoding', 'identity,deflate,gzip'] as const;

/** What an answer begins with, by how its messages are compressed. */
export const responseHeads: Readonly<Record<Algorithm, HeaderBlock>> = {
  identity: encodeFrequent([[':status', '200'], CONTENT_TYPE, ACCEPTS]),
  gzip: encodeFrequent([[':status', '200'], CONTENT_TYPE, ['grpc-encoding', 'gzip'], ACCEPTS]),
  deflate: encodeFrequent([[':status', '200'], CONTENT_TYPE, ['grpc-encoding', 'deflate'], ACCEPTS]),
};

export const OK_TRAILERS: HeaderBlock = encodeFrequent([['grpc-status', '0']]);

/** Trailers; `message` is any text. */
export function statusTrailers(status: number, message: string): HeaderBlock {
  return encodeFields(statusFields(status, message));
}

/** A status without messages: one field section is the whole answer (gRPC over HTTP/2, "Trailers-Only"). */
export function trailersOnly(status: number, message: string): HeaderBlock {
  return encodeFields([[':status', '200'], CONTENT_TYPE, ACCEPTS, ...statusFields(status, message)]);
}

/** C-core's server has this status too; 431, which HTTP has for it, clients know as UNKNOWN. */
export function metadataTooLarge(mostBytes: number): HeaderBlock {
  const counted = `${mostBytes} bytes of metadata at most: names, values, and 32 for each entry`;
  return trailersOnly(GRPC_RESOURCE_EXHAUSTED, `a call may have ${counted}. It has more: send less`);
}

/** An answer to what is no call of gRPC: 415 for another content type, 405 for another method. */
export function httpRefusal(status: number): HeaderBlock {
  return encodeFields([[':status', String(status)]]);
}

function statusFields(status: number, message: string): [string, string][] {
  const fields: [string, string][] = [['grpc-status', String(status)]];
  if (message !== '') fields.push(['grpc-message', percentEncoded(message)]);
  return fields;
}

/** gRPC over HTTP/2, "Percent-Encoded": of UTF-8, all but printable ASCII without the percent sign; and blanks that a field cannot end with. */
function percentEncoded(text: string): string {
  if (/^(?:[!-$&-~](?:[ -$&-~]*[!-$&-~])?)?$/.test(text)) return text;
  const bytes = Buffer.from(text);
  let encoded = '';
  for (const [index, byte] of bytes.entries()) {
    const isEdge = index === 0 || index === bytes.length - 1;
    const isPlain = byte > 0x20 && byte <= 0x7e && byte !== 0x25;
    if (isPlain || (byte === 0x20 && !isEdge)) encoded += String.fromCharCode(byte);
    else encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}
