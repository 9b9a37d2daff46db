import { isAscii } from 'node:buffer';
import { parseMessage } from '../config/pbtxt.js';
import { V1Message } from './v1-messages.js';
import {
  formOf,
  NO_PARTICULARS,
  particularsOf,
  type V1Form,
  type V1HeaderFields,
  type V1Particulars,
} from './v1-request.js';

/**
 * What clients write behind the last tensor, in the order of the fields: all that differs from request to request. Numbers that are not
 * certain to be decimal and in range are not among them.
 */
const tailPattern =
  /^(?: correlation_id: (0|[1-9][0-9]{0,19}))?(?: id: (0|[1-9][0-9]{0,19}))?(?: flags: (0|[1-9][0-9]{0,2}))? ?$/;
/** Of 64 bits. */
const LARGEST = '18446744073709551615';

/** Reads NV-InferRequest: protobuf text format. What it found is in its fields until the next `read`. */
export class V1HeaderReader {
  /** The text without what differs from request to request; '' = it cannot be told apart. */
  key = '';
  particulars: V1Particulars = NO_PARTICULARS;
  #text = '';
  #message: V1Message | null = null;

  /** Takes a header apart without reading it. */
  read(text: string): void {
    if (text === this.#text) return;
    this.#text = text;
    const end = text.lastIndexOf('}') + 1;
    const tail = end === text.length ? noTail : tailPattern.exec(text.slice(end));
    // What looks like a tail may stand in a comment.
    const isKnown = tail !== null && !text.includes('#') && isInRange(tail[1]) && isInRange(tail[2]);
    this.key = isKnown ? text.slice(0, end) : '';
    this.particulars = isKnown && tail !== noTail ? particularsIn(tail) : NO_PARTICULARS;
  }

  /** Throws INVALID_ARGUMENT for what is no InferRequestHeader. */
  parse(): V1Form {
    this.#message ??= new V1Message('InferRequestHeader');
    const fields = parseMessage(
      this.#message.schema,
      utf8Of(this.#text),
      'NV-InferRequest',
    ) as unknown as V1HeaderFields;
    const particulars = particularsOf(fields);
    if (!isSame(particulars, this.particulars)) {
      // Its fields are in an order of their own.
      this.key = '';
      this.particulars = particulars;
      this.#text = '';
    }
    return formOf(fields);
  }
}

const noTail: readonly (string | undefined)[] = [];

function particularsIn([, correlationId, id, flags]: readonly (string | undefined)[]): V1Particulars {
  return { correlationId: integer(correlationId), id: integer(id), flags: Number(flags ?? 0) };
}

function integer(digits: string | undefined): number | bigint {
  const number = Number(digits ?? 0);
  return Number.isSafeInteger(number) ? number : BigInt(digits!);
}

function isInRange(digits = ''): boolean {
  return digits.length < LARGEST.length || digits <= LARGEST;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The engine `net` gives headers as Latin-1, uWebSockets as UTF-8, which they are. What is none stays as it is. */
function utf8Of(text: string): string {
  const bytes = Buffer.from(text, 'latin1');
  if (isAscii(bytes) || bytes.toString('latin1') !== text) return text;
  try {
    return utf8.decode(bytes);
  } catch {
    return text;
  }
}

function isSame(a: V1Particulars, b: V1Particulars): boolean {
  return a.correlationId === b.correlationId && a.id === b.id && a.flags === b.flags;
}
