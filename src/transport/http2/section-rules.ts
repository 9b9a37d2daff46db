import type { Section } from './head-receiver.js';
import type { ConnectionLimits } from './limits.js';
import type { FieldList } from './request-fields.js';
import { ErrorCode } from './wire.js';

/** Why a stream does not begin. */
export interface Refusal {
  readonly code: number;
  readonly message: string;
}

/** What a request must keep beyond its single fields; null = it may begin, though maybe to be answered by us. */
export function refuseRequest(
  fields: FieldList,
  section: Section,
  openStreams: number,
  limits: ConnectionLimits,
): Refusal | null {
  if (openStreams >= limits.maxConcurrentStreams) {
    // 5.1.2, 8.7: nothing was done, so the client may repeat it.
    return { code: ErrorCode.REFUSED_STREAM, message: `more than ${limits.maxConcurrentStreams} streams at a time` };
  }
  const malformation = requestMalformation(fields, section, limits);
  return malformation === null ? null : { code: ErrorCode.PROTOCOL_ERROR, message: malformation };
}

/** 8.1: trailers end the stream and have no pseudo-headers. */
export function trailersMalformation(fields: FieldList, section: Section, limits: ConnectionLimits): string | null {
  const { maxHeaderListBytes } = limits;
  if (!section.endsStream) return 'a second HEADERS came without END_STREAM';
  if (section.dependsOnItself) return 'the stream depends on itself';
  if (section.listBytes > maxHeaderListBytes)
    return `trailers may have ${maxHeaderListBytes} bytes, found ${section.listBytes}`;
  return fields.malformation;
}

function requestMalformation(fields: FieldList, section: Section, limits: ConnectionLimits): string | null {
  if (section.dependsOnItself) return 'the stream depends on itself';
  // Beyond the limit fields are missing, maybe the ones that would be missed.
  const isWhole = section.listBytes <= limits.maxHeaderListBytes;
  const malformation = isWhole ? fields.requestMalformation() : fields.malformation;
  if (malformation !== null || !section.endsStream || fields.contentLength <= 0) return malformation;
  return `the body ends ${fields.contentLength} bytes before its content-length`;
}
