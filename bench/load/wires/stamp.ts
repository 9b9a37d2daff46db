import {
  ID_DIGITS,
  type PreparedRequest,
  SEQUENCE_ID_DIGITS,
  SEQUENCE_ID_VARINT_BYTES,
  type SequenceIdPlace,
} from '../encode/prepared-request.js';

const ZERO = 0x30;
const BLANK = 0x20;

/** Requests with places are sent as copies, because all that send share the bytes. */
export function hasPlaces(request: PreparedRequest): boolean {
  return request.idAt >= 0 || request.sequenceId !== null;
}

/** Fills in the places of the copy of the request that begins at `at`. */
export function stamp(bytes: Buffer, at: number, request: PreparedRequest, id: number, sequenceId: number): void {
  if (request.idAt >= 0) writeDigits(bytes, at + request.idAt, id, ID_DIGITS);
  if (request.sequenceId !== null) writeSequenceId(bytes, at, request.sequenceId, sequenceId);
}

/** The request with its places filled in: the part with places copied, the rest as it stands. */
export function stampedPieces(request: PreparedRequest, id: number, sequenceId: number): readonly Buffer[] {
  if (!hasPlaces(request)) return [request.bytes];
  const end = placesEnd(request);
  const copy = Buffer.allocUnsafe(end);
  request.bytes.copy(copy, 0, 0, end);
  stamp(copy, 0, request, id, sequenceId);
  return end === request.bytes.length ? [copy] : [copy, request.bytes.subarray(end)];
}

/** Small requests are copied as a whole. */
const WHOLE_BYTES_MAX = 16 * 1024;

function placesEnd({ bytes, idAt, sequenceId }: PreparedRequest): number {
  if (bytes.length <= WHOLE_BYTES_MAX) return bytes.length;
  const idEnd = idAt < 0 ? 0 : idAt + ID_DIGITS;
  return sequenceId === null ? idEnd : Math.max(idEnd, sequenceId.at + widthOf(sequenceId));
}

function widthOf({ form }: SequenceIdPlace): number {
  return form === 'digits' ? SEQUENCE_ID_DIGITS : SEQUENCE_ID_VARINT_BYTES;
}

/** With zeros before it. */
function writeDigits(bytes: Buffer, at: number, value: number, digits: number): void {
  let rest = value;
  for (let digit = at + digits - 1; digit >= at; digit--) {
    const tens = Math.floor(rest / 10);
    bytes[digit] = ZERO + rest - 10 * tens;
    rest = tens;
  }
}

function writeSequenceId(bytes: Buffer, begin: number, { form, at }: SequenceIdPlace, sequenceId: number): void {
  if (form === 'digits') {
    const text = String(sequenceId);
    bytes.fill(BLANK, begin + at, begin + at + SEQUENCE_ID_DIGITS);
    bytes.write(text, begin + at, 'latin1');
    return;
  }
  let rest = sequenceId;
  for (let index = 0; index < SEQUENCE_ID_VARINT_BYTES; index++) {
    const isLast = index === SEQUENCE_ID_VARINT_BYTES - 1;
    bytes[begin + at + index] = (rest % 128) | (isLast ? 0 : 0x80);
    rest = Math.floor(rest / 128);
  }
}
