import { COLON, CR, isToken, isValue, LF, SPACE, TAB } from './octets.js';
import { doubt, type Refusal } from './refusal.js';
import { CUT, REFUSED } from './request-line.js';

/** `field-name ":" OWS field-value OWS CRLF` (RFC 9112, 5), or the empty line behind the last one. */
export class FieldLine {
  nameEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  /** The line was the empty one. */
  isEnd = false;
  refusal: Refusal | null = null;

  /** The position behind the line, or CUT (`end` comes before its end), or REFUSED. The name begins at `start`. */
  read(bytes: Uint8Array, start: number, end: number): number {
    if (start === end) return CUT;
    this.isEnd = bytes[start] === CR;
    if (this.isEnd) return this.#lineEnd(bytes, start, end);
    let at = start;
    while (at < end && isToken[bytes[at]!] === 1) at++;
    if (at === end) return CUT;
    if (bytes[at] !== COLON || at === start) return this.#refuse(bytes[at]!, at === start);
    this.nameEnd = at++;
    while (at < end && isBlank(bytes[at]!)) at++;
    this.valueStart = at;
    while (at < end && isValue[bytes[at]!] === 1) at++;
    if (at === end) return CUT;
    this.valueEnd = trimmedEnd(bytes, this.valueStart, at);
    return this.#lineEnd(bytes, at, end);
  }

  #lineEnd(bytes: Uint8Array, at: number, end: number): number {
    if (bytes[at] !== CR) {
      this.refusal = bytes[at] === LF ? bareLineFeed : controlByte;
      return REFUSED;
    }
    if (at + 1 === end) return CUT;
    if (bytes[at + 1] === LF) return at + 2;
    this.refusal = bareReturn;
    return REFUSED;
  }

  #refuse(byte: number, isFirst: boolean): number {
    if (!isFirst) this.refusal = isBlank(byte) ? blankBeforeColon : badName;
    else this.refusal = isBlank(byte) ? folded : badName;
    return REFUSED;
  }
}

const blankBeforeColon = doubt('a header has a blank before its colon');
const badName = doubt(
  'the name of a header has a byte that does not belong into a name, or there is no colon behind it',
);
const folded = doubt('a header is continued on the next line (obs-fold)');
const controlByte = doubt('the value of a header has a control byte');
const bareLineFeed = doubt('a header line ends with LF instead of CR LF');
const bareReturn = doubt('a header line has a CR that is not followed by LF');

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

function trimmedEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && isBlank(bytes[at - 1]!)) at--;
  return at;
}
