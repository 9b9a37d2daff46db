import { encodeFields, encodeFrequent, type HeaderBlock } from '../../transport/http2/hpack/encoder.js';
import { GRPC_RESOURCE_EXHAUSTED } from '../status.js';
import type { Algorithm } from './message-codec.js';

/**
 * Of a message as it is sent. Clients refuse the whole answer where its fields are too long, gRPC C-core from 8 KiB on, and their users
 * would see no status at all.
 */
const MESSAGE_OCTETS_MAX = 4096;
const CUT = '...';

/** Characters of a field of the client that a message repeats at most: fields of some KiB may cost it an octet (HPACK), and us all of them. */
const QUOTE_MAX = 100;

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

/** What a client said, for a message. */
export function quoted(text: string): string {
  return text.length > QUOTE_MAX ? `${text.slice(0, QUOTE_MAX)}${CUT}` : text;
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

/**
 * gRPC over HTTP/2, "Percent-Encoded": of UTF-8, all but printable ASCII without the percent sign; and blanks that a field cannot end with.
 * What is too long is cut behind a whole character.
 */
function percentEncoded(text: string): string {
  if (text.length <= MESSAGE_OCTETS_MAX && /^(?:[!-$&-~](?:[ -$&-~]*[!-$&-~])?)?$/.test(text)) return text;
  // No character has less than one octet.
  const bytes = Buffer.from(text.slice(0, MESSAGE_OCTETS_MAX));
  const isCut = text.length > MESSAGE_OCTETS_MAX;
  let encoded = '';
  let wholeLength = 0;
  for (const [index, byte] of bytes.entries()) {
    if ((byte & 0xc0) !== 0x80) wholeLength = encoded.length;
    const isEdge = index === 0 || index === bytes.length - 1;
    const isPlain = byte > 0x20 && byte <= 0x7e && byte !== 0x25;
    if (isPlain || (byte === 0x20 && !isEdge)) encoded += String.fromCharCode(byte);
    else encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    if (encoded.length > MESSAGE_OCTETS_MAX) return encoded.slice(0, wholeLength) + CUT;
  }
  return isCut ? encoded + CUT : encoded;
}
