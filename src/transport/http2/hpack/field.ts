/** What a header field means to HTTP/2 itself; everything else is OTHER. */
export const FieldKind = {
  OTHER: 0,
  METHOD: 1,
  SCHEME: 2,
  PATH: 3,
  AUTHORITY: 4,
  HOST: 5,
  CONTENT_LENGTH: 6,
  TE: 7,
  /** A request with such a field is malformed: RFC 9113, 8.2.1, 8.2.2 or 8.3. */
  MALFORMED: 8,
} as const;

export type FieldKind = (typeof FieldKind)[keyof typeof FieldKind];

/** 4.1 of RFC 7541: what a field counts beside its octets. */
export const FIELD_OVERHEAD_BYTES = 32;

const kindsByName = new Map<string, FieldKind>([
  [':method', FieldKind.METHOD],
  [':scheme', FieldKind.SCHEME],
  [':path', FieldKind.PATH],
  [':authority', FieldKind.AUTHORITY],
  ['host', FieldKind.HOST],
  ['content-length', FieldKind.CONTENT_LENGTH],
  ['te', FieldKind.TE],
  // 8.2.2: of the connection, so never in HTTP/2.
  ['connection', FieldKind.MALFORMED],
  ['proxy-connection', FieldKind.MALFORMED],
  ['keep-alive', FieldKind.MALFORMED],
  ['transfer-encoding', FieldKind.MALFORMED],
  ['upgrade', FieldKind.MALFORMED],
]);

/** The token of RFC 9110, 5.6.2, without upper case (RFC 9113, 8.2). A colon is in none: unknown pseudo-headers are malformed (8.3). */
const lowerCaseToken = /^[a-z0-9!#$%&'*+\-.^_`|~]+$/;

/** A field whose text is decoded and whose meaning is known: what the tables keep, so that an index costs nothing more. */
export class TableField {
  readonly name: string;
  readonly value: string;
  /** Of the name alone, for literals that only name this entry. */
  readonly nameKind: FieldKind;
  readonly kind: FieldKind;
  readonly nameBytes: number;
  /** 4.1 of RFC 7541. */
  readonly bytes: number;

  /** @param bytes where given, the size of text that was too long to be kept */
  constructor(name: string, value: string, nameBytes = name.length, valueBytes = value.length) {
    this.name = name;
    this.value = value;
    this.nameKind = kindOfName(name);
    this.kind = kindOfField(this.nameKind, value);
    this.nameBytes = nameBytes;
    this.bytes = nameBytes + valueBytes + FIELD_OVERHEAD_BYTES;
  }
}

export function kindOfName(name: string): FieldKind {
  return kindsByName.get(name) ?? (lowerCaseToken.test(name) ? FieldKind.OTHER : FieldKind.MALFORMED);
}

export function kindOfField(nameKind: FieldKind, value: string): FieldKind {
  if (!isFieldValue(value) || (nameKind !== FieldKind.OTHER && isPadded(value))) return FieldKind.MALFORMED;
  // 8.2.2: the only coding that may be asked for.
  return nameKind === FieldKind.TE && value !== 'trailers' ? FieldKind.MALFORMED : nameKind;
}

/** 8.2.1: no NUL, CR, LF. */
function isFieldValue(value: string): boolean {
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code <= 0x0d && (code === 0x0d || code === 0x0a || code === 0)) return false;
  }
  return true;
}

/**
 * 8.2.1 forbids blanks around any value. Around those that mean nothing here they stay: clients of gRPC send metadata as it is given to
 * them, and servers of gRPC's own library take it.
 */
function isPadded(value: string): boolean {
  return value !== '' && (isBlank(value.charCodeAt(0)) || isBlank(value.charCodeAt(value.length - 1)));
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
