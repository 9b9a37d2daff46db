import type { FieldLine } from './field-line.js';
import { Framing } from './framing.js';
import { type Head, noProtocols } from './head.js';
import { equalsLower } from './octets.js';
import { bodyTooLarge, type Refusal, refusal } from './refusal.js';

/** The header fields that we act on ourselves, in one head after another. */
export class ControlFields {
  readonly #framing = new Framing();
  #expectations = '';
  #options = '';
  #upgrades = '';

  clear(): void {
    this.#framing.clear();
    this.#expectations = '';
    this.#options = '';
    this.#upgrades = '';
  }

  /** A field whose name begins at `start`. */
  note(bytes: Buffer, start: number, field: FieldLine): void {
    switch (field.nameEnd - start) {
      case 4:
        if (equalsLower(bytes, start, 'host')) this.#framing.addHost(textOf(bytes, field));
        break;
      case 6:
        if (equalsLower(bytes, start, 'expect')) this.#expectations += `,${textOf(bytes, field)}`;
        break;
      case 7:
        if (equalsLower(bytes, start, 'upgrade')) this.#upgrades += `,${textOf(bytes, field)}`;
        break;
      case 10:
        if (equalsLower(bytes, start, 'connection')) this.#options += `,${textOf(bytes, field)}`;
        break;
      case 14:
        if (equalsLower(bytes, start, 'content-length')) this.#framing.addLength(textOf(bytes, field));
        break;
      case 17:
        if (equalsLower(bytes, start, 'transfer-encoding')) this.#framing.addCoding(textOf(bytes, field));
    }
  }

  /** All fields are noted: puts into `head` what they say. Null = the request may be handed on. */
  complete(head: Head, maxBodyBytes: number): Refusal | null {
    head.contentLength = this.#framing.contentLength;
    head.keepAlive = keepsAlive(this.#options, head.minorVersion);
    head.upgrades = this.#upgrades === '' ? noProtocols : this.#upgradesOf(head);
    const framing = this.#framing.refusal(head.minorVersion);
    if (framing !== null) return framing;
    return head.contentLength > maxBodyBytes ? bodyTooLarge(maxBodyBytes) : this.#expect(head);
  }

  /** Of HTTP/1.0 it means nothing, and neither where it was meant for another connection (RFC 9110, 7.8); with `close` it contradicts itself. */
  #upgradesOf(head: Head): readonly string[] {
    const isMeant = head.minorVersion === 1 && head.keepAlive && listOf(this.#options).includes('upgrade');
    return isMeant ? listOf(this.#upgrades) : noProtocols;
  }

  /** A list of no expectations, as some clients send it, expects nothing; HTTP/1.0 has none (RFC 9110, 10.1.1). */
  #expect(head: Head): Refusal | null {
    head.expectsContinue = false;
    if (this.#expectations === '' || head.minorVersion === 0) return null;
    for (const expectation of listOf(this.#expectations)) {
      if (expectation !== '100-continue') return unknownExpectation;
      head.expectsContinue = head.contentLength !== 0;
    }
    return null;
  }
}

const unknownExpectation = refusal(417, "the only expectation supported is 'Expect: 100-continue'");

function textOf(bytes: Buffer, field: FieldLine): string {
  return bytes.toString('latin1', field.valueStart, field.valueEnd);
}

/** The members of a list field (RFC 9110, 5.6.1), in lower case. */
function listOf(text: string): string[] {
  const members = text.split(',').map((member) => member.trim().toLowerCase());
  return members.filter((member) => member !== '');
}

/** RFC 9112, 9.3. */
function keepsAlive(connectionOptions: string, minorVersion: number): boolean {
  if (connectionOptions === '') return minorVersion === 1;
  const options = listOf(connectionOptions);
  if (options.includes('close')) return false;
  return minorVersion === 1 || options.includes('keep-alive');
}
