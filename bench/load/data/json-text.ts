import { JsonScanner, textBegin } from '../../../src/protocols/json-scanner.js';
import { invalid, ServerError } from '../../../src/types/errors.js';
import { DataError } from './data-error.js';

const LINE_FEED = 0x0a;

/** Says where it is by line and column. */
class TextScanner extends JsonScanner {
  readonly #where: string;

  constructor(where: string, bytes: Buffer) {
    super(bytes, textBegin(bytes, 0), bytes.length);
    this.#where = where;
  }

  override error(reason: string, at = this.at): ServerError {
    const before = this.bytes.subarray(0, at);
    const lineBegin = before.lastIndexOf(LINE_FEED) + 1;
    const line = before.reduce((lines, byte) => (byte === LINE_FEED ? lines + 1 : lines), 1);
    return invalid(`${this.#where}, line ${line}, column ${at - lineBegin + 1}: this is no JSON: ${reason}`);
  }

  override tooDeep(): ServerError {
    return this.error('nested too deeply');
  }
}

/**
 * The value of a text: objects as maps, integers of 64 bits exactly, beyond 2^53 as bigint. Throws a DataError.
 * @param where it comes from, for messages
 */
export function parseJson(where: string, bytes: Buffer): unknown {
  const scanner = new TextScanner(where, bytes);
  try {
    const value = scanner.value();
    if (scanner.peek() !== -1) throw scanner.error('something follows behind its end');
    scanner.checkUtf8();
    return value;
  } catch (error) {
    if (error instanceof ServerError) throw new DataError(error.message);
    throw error;
  }
}
