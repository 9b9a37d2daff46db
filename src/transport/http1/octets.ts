/** Classes of bytes (RFC 9110, 5.5 and 5.6.2; RFC 3986, 3.3): a table each, 1 = belongs to it. */

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const QUOTE = 0x22;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const QUESTION = 0x3f;
export const BACKSLASH = 0x5c;

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const digits = '0123456789';

function tableOf(bytes: string): Uint8Array {
  const table = new Uint8Array(256);
  for (let index = 0; index < bytes.length; index++) table[bytes.charCodeAt(index)] = 1;
  return table;
}

/** tchar: methods, names of fields. */
export const isToken: Uint8Array = tableOf(`!#$%&'*+-.^_\`|~${digits}${letters}`);

/** What may stand in a field value: VCHAR, obs-text, blank and tab. No other control byte, though 9110 5.5 would let a server keep them. */
export const isValue: Uint8Array = new Uint8Array(256).map((_, byte) =>
  byte === TAB || (byte >= SPACE && byte !== 0x7f) ? 1 : 0,
);

/** Any form of a request target. No `#`: a target has no fragment. Whether a `%` begins an escape is for whoever decodes it. */
export const isTarget: Uint8Array = tableOf(`-._~!$&'()*+,;=:@/?[]%${digits}${letters}`);

/** Value of a hexadecimal digit; -1 = it is none. */
export const hexValue: Int8Array = new Int8Array(256).map((_, byte) => {
  const value = '0123456789abcdef'.indexOf(String.fromCharCode(byte).toLowerCase());
  return byte < 0x80 ? value : -1;
});

/** Whether the bytes from `start` on are `text`, which is in lower case and as long as what it is compared with. */
export function equalsLower(bytes: Uint8Array, start: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const byte = bytes[start + index]!;
    const lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (lower !== text.charCodeAt(index)) return false;
  }
  return true;
}
