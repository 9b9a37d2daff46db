const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Longer ids are part of the text. */
const LONGEST_ID_BYTES = 128;

/** Behind the string that begins at `begin`; -1 = there is none, or one that is long, or has escapes or bytes beyond ASCII. */
export function skipPlainString(body: Buffer, begin: number, end: number): number {
  if (begin >= end || body[begin] !== QUOTE) return -1;
  const last = Math.min(end, begin + LONGEST_ID_BYTES + 2);
  for (let at = begin + 1; at < last; at++) {
    const byte = body[at]!;
    if (byte === QUOTE) return at + 1;
    if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return -1;
  }
  return -1;
}
