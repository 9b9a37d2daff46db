import { invalid } from '../types/errors.js';
import { requestTag } from './check-request.js';
import type { AcceptedRequest } from './infer-response.js';

/** Where a BYTES tensor lies, and what its messages name. */
export interface StringsContext {
  /** `[request id: ...] ` */
  readonly tag: string;
  readonly input: string;
  readonly model: string;
}

/** Checks the elements of all BYTES inputs of a request whose data is complete. Throws as `checkStrings`. */
export function checkInputStrings(request: AcceptedRequest): void {
  const { plan, model } = request;
  const { inputs, head } = plan;
  for (let nth = 0; nth < inputs.length; nth++) {
    const input = inputs[nth]!;
    if (input.datatype !== 'BYTES') continue;
    const begin = request.inputBegin(nth);
    checkStrings(model.arena.bytes.subarray(begin, begin + request.inputBytes(nth)), input.elements, {
      tag: requestTag(head.id),
      input: input.head.name,
      model: model.name,
    });
  }
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
  const { tag, input, model } = context;
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
  return at + 4 + length;
}

function countRest(buffer: Buffer, from: number): number {
  let count = 0;
  for (let at = from; at + 4 <= buffer.length; count++) at += 4 + buffer.readUInt32LE(at);
  return count;
}
