import { invalid, type ServerError } from '../types/errors.js';
import type { PreparedHead } from './head-cache.js';

/** Instead of the bytes of the head: the whole body is JSON. */
export const WHOLE_BODY = -1;

/** `--http-max-input-size` for JSON. Throws INVALID_ARGUMENT with Triton's text, as all of these do. */
export function checkJsonSize(bytes: number, maxInputBytes: number): void {
  if (bytes <= maxInputBytes) return;
  throw invalid(
    `request JSON size of ${bytes} bytes exceeds the maximum allowed input size of ${maxInputBytes} bytes. Use --http-max-input-size to increase the limit.`,
  );
}

/** The same for a body that is JSON or raw altogether. */
export function checkBodySize(bytes: number, headerLength: number, maxInputBytes: number): void {
  if (headerLength === WHOLE_BODY) checkJsonSize(bytes, maxInputBytes);
  if (bytes <= maxInputBytes) return;
  throw invalid(
    `Raw input has a byte_size (${bytes} bytes) that exceeds the maximum allowed value of ${maxInputBytes} bytes. Use --http-max-input-size to increase the limit.`,
  );
}

/** What lies behind the head, `bytes` bytes, must be what the head says. */
export function checkTensorBytes(prepared: PreparedHead, bytes: number, headerLength: number, model: string): void {
  if (bytes === prepared.bodyBytes) return;
  if (bytes > prepared.bodyBytes) throw additionalBytes(model);
  let left = bytes;
  for (let nth = 0; nth < prepared.binaryBytes.length; nth++) {
    const size = Math.max(0, prepared.binaryBytes[nth]!);
    if (size > left) throw missingBytes(prepared, nth, size - left, model, headerLength);
    left -= size;
  }
}

/** JSON bytes of a body of this length. */
export function headBytesOf(bodyBytes: number, headerLength: number): number {
  if (headerLength === WHOLE_BODY) return bodyBytes;
  checkHeaderLength(headerLength, bodyBytes);
  return headerLength;
}

export function checkHeaderLength(headerLength: number, bodyBytes: number): void {
  if (headerLength <= bodyBytes) return;
  throw invalid(`inference header size should be in range (0, ${bodyBytes}), got: ${headerLength}`);
}

export function additionalBytes(model: string): ServerError {
  return invalid(`unexpected additional input data for model '${model}'`);
}

function missingBytes(
  prepared: PreparedHead,
  nth: number,
  bytes: number,
  model: string,
  headerLength: number,
): ServerError {
  if (headerLength === WHOLE_BODY) {
    return invalid(
      "must specify valid 'Infer-Header-Content-Length' in request header and 'binary_data_size' when passing inputs in binary data format",
    );
  }
  const { name } = prepared.plan.inputs[nth]!.head;
  return invalid(`unexpected size for input '${name}', expecting ${bytes} additional bytes for model '${model}'`);
}
