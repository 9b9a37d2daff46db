import { DataError } from '../data/data-error.js';
import { jsonRequest } from './json-request.js';
import type { PreparedRequest, SequenceIdPlace } from './prepared-request.js';
import { type RequestForm, type RequestSettings, sentBytes, sumOfBytes } from './request-settings.js';

/** They say how long the request is and how the connection goes on, which is not for users to say. */
const ownHeaders = [
  'content-length',
  'transfer-encoding',
  'inference-header-content-length',
  'connection',
  'expect',
  'content-encoding',
];

const tokenPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const valuePattern = /^[\t\x20-\x7e\x80-\xff]*$/;

export function httpRequest(form: RequestForm): PreparedRequest {
  const { head, tensors, sequenceIdAt } = jsonRequest(form);
  const tensorBytes = sumOfBytes(tensors);
  const isBinary = form.settings.inputFormat === 'binary';
  const start = requestHead(form.settings, isBinary ? head.length : -1, head.length + tensorBytes);
  return {
    bytes: Buffer.concat([start, head, ...tensors]),
    idAt: -1,
    sequenceId: digitsAt(sequenceIdAt, start.length),
    tensorBytes: sumOfBytes(form.step.inputs.map(sentBytes)),
  };
}

/** @param headBytes -1 = the body is JSON alone */
function requestHead({ target }: RequestSettings, headBytes: number, bodyBytes: number): Buffer {
  const headers = new Map<string, string>();
  headers.set('host', hostOf(target));
  headers.set('content-type', headBytes < 0 ? 'application/json' : 'application/octet-stream');
  for (const [name, value] of target.headers) headers.set(checkedName(name, value), value);
  headers.set('content-length', String(bodyBytes));
  if (headBytes >= 0) headers.set('inference-header-content-length', String(headBytes));
  const lines = [...headers].map(([name, value]) => `${capitalized(name)}: ${value}\r\n`);
  return Buffer.from(`POST ${target.path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
}

function hostOf({ host, port }: RequestSettings['target']): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** In lower case. */
function checkedName(name: string, value: string): string {
  const lower = name.toLowerCase();
  if (ownHeaders.includes(lower))
    throw new DataError(`-H ${name}: the load test itself sets this header; leave it out`);
  if (tokenPattern.test(name) && valuePattern.test(value)) return lower;
  const header = JSON.stringify(`${name}: ${value}`);
  throw new DataError(`-H ${header}: a header is NAME:VALUE, without line breaks and other control characters`);
}

function capitalized(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (match) => match.toUpperCase());
}

export function digitsAt(at: number, begin: number): SequenceIdPlace | null {
  return at < 0 ? null : { form: 'digits', at: begin + at };
}
