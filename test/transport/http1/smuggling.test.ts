import { describe, expect, test } from 'vitest';
import { host, parse } from './requests.js';

/**
 * Requests that were published as ways to make a proxy and a server disagree about where a request ends (James Kettle, "HTTP Desync
 * Attacks" and "HTTP/1.1 must die"; Amit Klein, "HTTP Request Smuggling in 2020"; Jeppe Weikop's chunk extensions, TERM.EXT;
 * advisories of Node, Go, HAProxy, Apache Traffic Server). Each carries a second request that must never come out.
 */
const smuggled = `GET /smuggled HTTP/1.1\r\n${host}\r\n`;
const wrapped = `0\r\n\r\n${smuggled}`;

const withCoding = (line: string) => `POST / HTTP/1.1\r\n${host}Content-Length: 4\r\n${line}\r\n\r\n${wrapped}`;
const onlyCoding = (line: string) => `POST / HTTP/1.1\r\n${host}${line}\r\n\r\n${wrapped}`;
const withLength = (line: string) => `POST / HTTP/1.1\r\n${host}${line}\r\n\r\nabcde${smuggled}`;
const inChunks = (body: string) => `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n${body}`;

/** Spellings of a coding that one reader takes for chunked and another does not. */
const codings: readonly string[] = [
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding\t: chunked',
  'Transfer-Encoding:\vchunked',
  'Transfer-Encoding: \fchunked',
  'Transfer-Encoding: chunked\v',
  'Transfer-Encoding: \0chunked',
  'Transfer-Encoding: chunk',
  'Transfer-Encoding: chunked-false',
  'Transfer-Encoding: "chunked"',
  "Transfer-Encoding: 'chunked'",
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: identity, chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: cow, chunked',
  'Transfer-Encoding: chunked, cow',
  'Transfer-Encoding: ,chunked',
  'Transfer-Encoding: chunked;a=b',
  'Transfer-Encoding: ch\u00fcnked',
  'Transfer-Encoding: \u00a0chunked',
  'Transfer-Encoding: \xffchunked',
  'Transfer-Encoding:\r\n chunked',
  'Transfer-Encoding:\r\n\tchunked',
  'Transfer-Encoding: chunked\r\n , identity',
  'Transfer-Encoding\r\n: chunked',
  'Transfer-Encoding:\n chunked',
  ' Transfer-Encoding: chunked',
  'Foo: bar\r\n Transfer-Encoding: chunked',
  'Foo: bar\nTransfer-Encoding: chunked',
  'Foo: bar\rTransfer-Encoding: chunked',
  'Foo: bar\r\rTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: x',
  'Transfer-Encoding: x\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nTransfer-encoding: identity',
  'Transfer-Encoding;: chunked',
  'Transfer-Encoding\0: chunked',
  'Transfer-Encoding\x7f: chunked',
  'Transfer-Encoding',
  'Transfer-Encoding\xa0: chunked',
  ': chunked\r\nTransfer-Encoding: chunked',
];

/** What is no Transfer-Encoding by its name is an unknown header, and one with Content-Length alone is served by its length. */
const otherNames: readonly string[] = [
  'Transfer_Encoding: chunked',
  'X-Transfer-Encoding: chunked',
  'TransferEncoding: chunked',
];

const lengths: readonly string[] = [
  'Content-Length: +5',
  'Content-Length: -5',
  'Content-Length: 5, 5',
  'Content-Length: 5,5',
  'Content-Length: 5, 0',
  'Content-Length: 0x5',
  'Content-Length: 0b101',
  'Content-Length: 5e0',
  'Content-Length: 5.0',
  'Content-Length: 5 0',
  'Content-Length: 05',
  'Content-Length: 000005',
  'Content-Length: 5\r\nContent-Length: 5',
  'Content-Length: 5\r\nContent-Length: 0',
  'Content-Length: 0\r\nContent-Length: 5',
  'Content-Length: 5\r\ncontent-length: 6',
  'Content-Length : 5',
  'Content-Length\t: 5',
  ' Content-Length: 5',
  'Content-Length:\r\n 5',
  'Content-Length: \v5',
  'Content-Length: 5\v',
  'Content-Length: 5\0',
  'Content-Length: "5"',
  'Content-Length:',
  'Content-Length: 5;',
  'Content-Length: 4294967301',
  'Content-Length: 18446744073709551621',
  'Content-Length: -18446744073709551611',
  'X: y\nContent-Length: 5',
  'X: y\rContent-Length: 5',
  'Content-Length: 0\r\n\tX: y',
];

const chunkings: Readonly<Record<string, string>> = {
  'a size that overflows 64 bits': `10000000000000005\r\nabcde\r\n${wrapped}`,
  'a size that overflows 32 bits': `100000005\r\nabcde\r\n${wrapped}`,
  'a size with a sign': `+5\r\nabcde\r\n${wrapped}`,
  'a negative size': `-5\r\nabcde\r\n${wrapped}`,
  'a size with 0x': `0x5\r\nabcde\r\n${wrapped}`,
  'a size with an underscore': `1_0\r\nabcde\r\n${wrapped}`,
  'a size with a blank before it': ` 5\r\nabcde\r\n${wrapped}`,
  'a size with a blank behind it': `5 \r\nabcde\r\n${wrapped}`,
  'a size with a vertical tab behind it': `5\v\r\nabcde\r\n${wrapped}`,
  'no size': `\r\nabcde\r\n${wrapped}`,
  'a size that ends with LF': `5\nabcde\r\n${wrapped}`,
  'a size that ends with CR': `5\rabcde\r\n${wrapped}`,
  'an extension that ends with LF (TERM.EXT)': `5;\nxx\r\nabcde\r\n${wrapped}`,
  'an extension that ends with CR': `5;\rxx\r\nabcde\r\n${wrapped}`,
  'an extension with a quoted line end': `5;a="\r\nabcde\r\n${wrapped}"\n`,
  'data that ends with LF': `5\r\nabcde\n${wrapped}`,
  'data with two bytes that are no line end (SPILL)': `5\r\nabcdeXX${wrapped}`,
  'data that is shorter than its size': `5\r\nabc\r\n${wrapped}`,
  'data that is longer than its size': `5\r\nabcdefg\r\n${wrapped}`,
  'a last chunk that ends with LF': `0\n\n${smuggled}`,
  'a last chunk whose line ends with LF': `0\r\n\n${smuggled}`,
  'a trailer without a colon': `0\r\n${smuggled}`,
  'a trailer with a bare LF': `0\r\nX: y\n\r\n${smuggled}`,
  'a trailer that is continued': `0\r\nX: y\r\n z\r\n\r\n${smuggled}`,
};

const others: Readonly<Record<string, string>> = {
  'chunked in HTTP/1.0': `POST / HTTP/1.0\r\n${host}Transfer-Encoding: chunked\r\n\r\n${wrapped}`,
  'chunked in HTTP/1.0 that is kept': `POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n${wrapped}`,
  'two hosts': `GET / HTTP/1.1\r\n${host}Host: b\r\n\r\n${smuggled}`,
  'two hosts, one with a blank': `GET / HTTP/1.1\r\n${host}Host : b\r\n\r\n${smuggled}`,
  'a host that is continued': `GET / HTTP/1.1\r\n${host} b\r\n\r\n${smuggled}`,
  'no host': `GET / HTTP/1.1\r\nX: y\r\n\r\n${smuggled}`,
  'a version of two digits': `GET / HTTP/1.10\r\n${host}\r\n${smuggled}`,
  'HTTP/0.9': `GET /\r\n${smuggled}`,
  'a request in the target': `GET / HTTP/1.1 ${smuggled}`,
  'a NUL in the target': `GET /\0 HTTP/1.1\r\n${host}\r\n${smuggled}`,
  'a header name with a line end': `GET / HTTP/1.1\r\n${host}X\n: y\r\n\r\n${smuggled}`,
  'a header section that ends with LF LF': `GET / HTTP/1.1\r\nHost: a\n\n${smuggled}`,
  'a header section that ends with LF CR LF': `GET / HTTP/1.1\r\nHost: a\n\r\n${smuggled}`,
  'a header section that ends with CR': `GET / HTTP/1.1\r\nHost: a\r\n\r${smuggled}`,
};

/** Whole, in two pieces wherever that may be, and byte by byte. */
function expectNothingSmuggled(text: string): void {
  const ways = [[text], [...text]];
  for (let at = 1; at < text.length; at++) ways.push([text.slice(0, at), text.slice(at)]);
  for (const pieces of ways) {
    const { requests, refused } = parse(pieces);
    expect(requests.map(({ path }) => path)).not.toContain('/smuggled');
    expect([400, 413, 505]).toContain(refused);
  }
}

describe('9112 11.2: two readers cannot be made to disagree', () => {
  for (const line of codings) {
    test(`CL.TE and TE.CL with ${JSON.stringify(line)}`, () => expectNothingSmuggled(withCoding(line)));
    if (line === 'Transfer-Encoding: chunked') continue;
    test(`TE.TE with ${JSON.stringify(line)}`, () => expectNothingSmuggled(onlyCoding(line)));
  }
  for (const line of lengths)
    test(`CL.CL and CL.0 with ${JSON.stringify(line)}`, () => expectNothingSmuggled(withLength(line)));
  for (const [what, body] of Object.entries(chunkings))
    test(`chunks with ${what}`, () => expectNothingSmuggled(inChunks(body)));
  for (const [what, text] of Object.entries(others)) test(what, () => expectNothingSmuggled(text));
});

test('9112 6.3: a header that is named like a coding counts for nothing: the length holds', () => {
  for (const line of otherNames) {
    const { requests, refused } = parse(withCoding(line).replace(wrapped, `abcd${smuggled}`));
    expect([requests.map(({ body }) => body), refused], line).toEqual([['abcd', ''], 0]);
  }
});

test('9112 6.3: a request within a body is that body (0.CL, CL.0)', () => {
  const { requests } = parse(`GET / HTTP/1.1\r\n${host}Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`);
  expect(requests.map(({ path, body }) => [path, body])).toEqual([['/', smuggled]]);
});
