import { isUtf8 } from 'node:buffer';
import { invalid } from '../types/errors.js';

/** Where a BYTES tensor lies, and what its messages name. */
export interface StringsContext {
  /** `[request id: ...] ` */
  readonly tag: string;
  readonly input: string;
  readonly model: string;
  /** The backend's strings end at a NUL and are UTF-8: anything else would arrive changed. */
  readonly textOnly: boolean;
}

/**
 * Walks the elements of a BYTES tensor, each a 4-byte little-endian length and that many bytes, and throws INVALID_ARGUMENT with
 * Triton's texts unless they are exactly `expected` elements (fact sheet 2.5).
 */
export function checkStrings(bytes: Uint8Array, expected: number, context: StringsContext): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { tag, input, model } = context;
  let count = 0;
  let at = 0;
  for (; at < buffer.length; count++) {
    if (count === expected) {
      const total = count + countRest(buffer, at);
      throw invalid(
        `${tag}unexpected number of string elements ${total} for inference input '${input}' for model '${model}', expecting ${expected}`,
      );
    }
    at = checkElement(buffer, at, context);
  }
  if (count < expected) {
    throw invalid(
      `${tag}expected ${expected} string elements for inference input '${input}' for model '${model}', got ${count}`,
    );
  }
}

/** Position behind the element at `at`. */
function checkElement(buffer: Buffer, at: number, context: StringsContext): number {
  const { tag, input, model, textOnly } = context;
  const left = buffer.length - at;
  if (left < 4) {
    throw invalid(
      `${tag}incomplete string length indicator for inference input '${input}' for model '${model}', expecting 4 bytes but only ` +
        `${left} bytes available. Please make sure the string length indicator is in one buffer.`,
    );
  }
  const length = buffer.readUInt32LE(at);
  if (length > left - 4) {
    throw invalid(
      `incomplete string data for inference input '${input}', expecting string of length ${length} but only ${left - 4} bytes available`,
    );
  }
  if (textOnly && length > 0) checkText(buffer.subarray(at + 4, at + 4 + length), context);
  return at + 4 + length;
}

function checkText(element: Buffer, { tag, input, model }: StringsContext): void {
  const nul = element.indexOf(0);
  if (nul < 0 && isUtf8(element)) return;
  const found = nul >= 0 ? `a NUL byte at position ${nul} of an element` : 'an element that is not valid UTF-8';
  throw invalid(
    `${tag}input '${input}' for model '${model}' has ${found}: its backend carries strings as UTF-8 text without NUL. ` +
      'Encode binary data, for example as base64, or use a UINT8 input',
  );
}

function countRest(buffer: Buffer, from: number): number {
  let count = 0;
  for (let at = from; at + 4 <= buffer.length; count++) at += 4 + buffer.readUInt32LE(at);
  return count;
}
