import type { RequestLimits } from '../../../src/transport/http1/limits.js';

/** A request as the twin reads it: method, path, body (null = not complete), and whether requests may follow. */
export interface TwinRequest {
  readonly method: string;
  readonly path: string;
  readonly fields: readonly string[];
  readonly keepAlive: boolean;
  body: string;
  isComplete: boolean;
}

export interface TwinResult {
  readonly requests: readonly TwinRequest[];
  /** 0 = there is no complaint about any line that is complete. */
  readonly refused: number;
}

class Refused extends Error {
  readonly status: number;
  constructor(status: number) {
    super();
    this.status = status;
  }
}

/** The text ends before the thing in hand does. */
class Cut extends Error {}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const target = /^[-._~!$&'()*+,;=:@/?[\]%0-9A-Za-z]+$/;
const value = /^[\t\x20-\x7e\x80-\xff]*$/;
const chunkLine =
  /^([0-9a-fA-F]{1,12})(?:[ \t]*;(?:[\t\x20\x21\x23-\x7e\x80-\xff]|"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*")*)?$/;
const hostValue = /^(\[[0-9a-fA-F:.]+\]|([-\w.~!$&'()*+,;=]|%[0-9a-fA-F]{2})*)(:\d*)?$/;

/** A dumb second reader of RFC 9112: everything at once, with regular expressions, sharing no code with the first. */
export class Twin {
  #text: string;
  readonly #limits: RequestLimits;
  readonly #requests: TwinRequest[] = [];

  constructor(text: string, limits: RequestLimits) {
    this.#text = text;
    this.#limits = limits;
  }

  read(): TwinResult {
    try {
      for (;;) this.#request();
    } catch (error) {
      if (error instanceof Refused) return { requests: this.#requests, refused: error.status };
      if (error instanceof Cut) return { requests: this.#requests, refused: 0 };
      throw error;
    }
  }

  #request(): void {
    if (this.#text.startsWith('\r\n')) this.#text = this.#text.slice(2);
    const [method, path, authority, minor] = readRequestLine(this.#line());
    const fields: [string, string][] = [];
    for (let line = this.#line(); line !== ''; line = this.#line()) {
      fields.push(readField(line));
      if (fields.length > this.#limits.maxHeaderCount) throw new Refused(431);
    }
    const framing = readFraming(fields, minor, this.#limits);
    const shown = fields.map(([name, text]) => `${name}=${name === 'host' && authority !== '' ? authority : text}`);
    const request = { method, path, fields: shown, keepAlive: keeps(fields, minor), body: '', isComplete: false };
    this.#requests.push(request);
    if (framing === 'chunked') this.#chunks(request);
    else this.#counted(request, framing);
    request.isComplete = true;
  }

  /** Without its end; throws where a complete line ends otherwise. */
  #line(): string {
    const end = this.#text.indexOf('\n');
    if (end < 0) throw new Cut();
    const line = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 1);
    if (!line.endsWith('\r') || line.slice(0, -1).includes('\r')) throw new Refused(400);
    return line.slice(0, -1);
  }

  #counted(request: TwinRequest, bytes: number): void {
    request.body += this.#text.slice(0, bytes);
    if (this.#text.length < bytes) throw new Cut();
    this.#text = this.#text.slice(bytes);
  }

  #chunks(request: TwinRequest): void {
    for (let size = this.#size(request); size > 0; size = this.#size(request)) {
      this.#counted(request, size);
      if (this.#text.length >= 2 && !this.#text.startsWith('\r\n')) throw new Refused(400);
      if (this.#text.length < 2) throw new Cut();
      this.#text = this.#text.slice(2);
    }
    for (let line = this.#line(); line !== ''; line = this.#line()) readField(line);
  }

  #size(request: TwinRequest): number {
    const line = this.#line();
    const [, digits] = chunkLine.exec(line) ?? [];
    if (digits === undefined) throw new Refused(400);
    const size = Number.parseInt(digits, 16);
    if (request.body.length + size > this.#limits.maxBodyBytes) throw new Refused(413);
    return size;
  }
}

function readRequestLine(line: string): [method: string, path: string, authority: string, minor: number] {
  const [method, uri, version, ...rest] = line.split(' ');
  if (!token.test(method!) || rest.length > 0) throw new Refused(400);
  if (method!.length > 32) throw new Refused(501);
  if (uri === undefined || !target.test(uri)) throw new Refused(400);
  if (version === undefined || !/^HTTP\/\d\.\d$/.test(version)) throw new Refused(400);
  if (version[5] !== '1') throw new Refused(505);
  const [path, authority] = readTarget(method!, uri);
  return [method!, path, authority, version[7] === '0' ? 0 : 1];
}

function readTarget(method: string, uri: string): [path: string, authority: string] {
  if (method === 'CONNECT') throw new Refused(501);
  if (uri.startsWith('/')) return [uri.split('?')[0]!, ''];
  if (uri === '*' && method === 'OPTIONS') return ['*', ''];
  const absolute = /^https?:\/\/([^/?]+)([^?]*)/i.exec(uri);
  if (absolute === null || !hostValue.test(absolute[1]!) || absolute[1]!.startsWith(':')) throw new Refused(400);
  return [absolute[2]! || '/', absolute[1]!];
}

function readField(line: string): [name: string, value: string] {
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(0, colon));
  const text = line.slice(colon + 1);
  if (!token.test(name) || !value.test(text)) throw new Refused(400);
  return [name.toLowerCase(), text.replace(/^[ \t]+|[ \t]+$/g, '')];
}

function valuesOf(fields: readonly [string, string][], wanted: string): string[] {
  return fields.filter(([name]) => name === wanted).map(([, text]) => text);
}

function readFraming(fields: [string, string][], minor: number, limits: RequestLimits): number | 'chunked' {
  const lengths = valuesOf(fields, 'content-length');
  const codings = valuesOf(fields, 'transfer-encoding');
  const hosts = valuesOf(fields, 'host');
  if (lengths.length + codings.length > 1) throw new Refused(400);
  if (codings.length === 1 && (codings[0]!.toLowerCase() !== 'chunked' || minor === 0)) throw new Refused(400);
  if (lengths.length === 1 && !/^(0|[1-9]\d*)$/.test(lengths[0]!)) throw new Refused(400);
  if (hosts.length > 1 || (hosts.length === 0 && minor === 1) || !hosts.every((host) => hostValue.test(host)))
    throw new Refused(400);
  const length = Number(lengths[0] ?? 0);
  if (length > limits.maxBodyBytes) throw new Refused(413);
  const expectations = minor === 0 ? [] : membersOf(valuesOf(fields, 'expect'));
  if (expectations.some((expectation) => expectation !== '100-continue')) throw new Refused(417);
  return codings.length === 1 ? 'chunked' : length;
}

function membersOf(values: readonly string[]): string[] {
  const members = values
    .join(',')
    .split(',')
    .map((member) => member.trim().toLowerCase());
  return members.filter((member) => member !== '');
}

function keeps(fields: [string, string][], minor: number): boolean {
  const options = membersOf(valuesOf(fields, 'connection'));
  return !options.includes('close') && (minor === 1 || options.includes('keep-alive'));
}
