import { expect, test } from 'vitest';
import { get, host, parse, refusalOf } from './requests.js';

const line = (text: string) => `${text}\r\n${host}\r\n`;
const pathOf = (text: string) => parse(text).requests[0]?.path;

test('9112 2.2: one empty line before a request is skipped, wherever it is split', () => {
  const text = `\r\n${get('/x')}`;
  for (let at = 1; at < text.length; at++) {
    expect(parse([text.slice(0, at), text.slice(at)]).requests.map(({ path }) => path)).toEqual(['/x']);
  }
  expect(refusalOf(`\r\n\r\n${get()}`)).toBe(400);
});

test('9112 2.2: an empty line behind a body is no begun request', () => {
  expect(parse(`${get()}\r\n`)).toMatchObject({ refused: 0, isInside: false });
  expect(parse([`${get()}\r`, '\n']).isInside).toBe(false);
  expect(parse(`${get()}\r\nG`).isInside).toBe(true);
});

test('9112 2.2: a bare LF ends no line, a bare CR is none', () => {
  for (const text of [
    `GET / HTTP/1.1\nHost: a\n\n`,
    `GET / HTTP/1.1\r\nHost: a\n\r\n`,
    `GET / HTTP/1.1\r\nHost: a\r\n\n`,
    `GET / HTTP/1.1\rHost: a\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n`,
    `GET / HTTP/1.1\r\r\nHost: a\r\n\r\n`,
    `\n${get()}`,
  ]) {
    expect(refusalOf(text), JSON.stringify(text)).toBe(400);
  }
});

test('9112 2.2: nothing stands between the request line and the first header', () => {
  expect(refusalOf(`GET / HTTP/1.1\r\n ${host}\r\n`)).toBe(400);
  expect(refusalOf(`GET / HTTP/1.1\r\n\t${host}\r\n`)).toBe(400);
});

test('9112 2.3: an HTTP version is HTTP/ digit . digit, in capitals', () => {
  for (const version of [
    'http/1.1',
    'Http/1.1',
    'HTTP/1',
    'HTTP/1.',
    'HTTP/1.1x',
    'HTTP/11',
    'HTTP/1,1',
    'HTTP/a.1',
    'HTTP /1.1',
    'XTTP/1.1',
    'HTTP/1.10',
    '',
  ]) {
    expect(refusalOf(line(`GET / ${version}`)), version).toBe(400);
  }
});

test('9112 2.3, 9110 15.6.6: other major versions get 505, also the preface of HTTP/2', () => {
  for (const version of ['0.9', '2.0', '3.0', '9.9'])
    expect(refusalOf(line(`GET / HTTP/${version}`)), version).toBe(505);
  expect(refusalOf('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')).toBe(505);
});

test('9110 2.5: a later minor version is served as 1.1', () => {
  expect(parse(line('GET / HTTP/1.7')).requests[0]?.keepAlive).toBe(true);
});

test('9112 3: the parts of a request line are parted by exactly one blank', () => {
  for (const text of [
    'GET  / HTTP/1.1',
    'GET /  HTTP/1.1',
    ' GET / HTTP/1.1',
    'GET / HTTP/1.1 ',
    'GET\t/ HTTP/1.1',
    'GET /\tHTTP/1.1',
    'GET /\vHTTP/1.1',
    'GET /',
    'GET',
    'GET / ',
    'GET  HTTP/1.1',
    'GET / x HTTP/1.1',
  ]) {
    expect(refusalOf(line(text)), text).toBe(400);
  }
});

test('9110 9.1: any token is a method, in the case it is sent', () => {
  for (const method of ['GET', 'get', 'FOO', "!#$%&'*+-.^_`|~09aZ", 'M-SEARCH', 'POSX', 'PO']) {
    expect(parse(line(`${method} / HTTP/1.1`)).requests[0]?.method).toBe(method);
  }
  for (const method of ['G(T', 'GE"T', 'G:T', 'GÄT', 'G\0T', '\x16\x03\x01', '']) {
    expect(refusalOf(line(`${method} / HTTP/1.1`)), method).toBe(400);
  }
});

test('9112 3: a method longer than any gets 501, before its end has come', () => {
  expect(refusalOf('A'.repeat(33))).toBe(501);
  expect(parse(line(`${'A'.repeat(32)} / HTTP/1.1`)).refused).toBe(0);
});

test('9112 3: a request line over the limit gets 414, before its end has come', () => {
  const limits = { maxHeaderBytes: 1024 };
  expect(refusalOf(line(`GET /${'a'.repeat(1024)} HTTP/1.1`), limits)).toBe(414);
  expect(refusalOf(`GET /${'a'.repeat(1024)}`, limits)).toBe(414);
  expect(
    parse(
      Array.from({ length: 1100 }, () => 'a'),
      limits,
    ).refused,
  ).toBe(414);
  expect(parse(['GET /', ...Array.from({ length: 1100 }, () => 'a')], limits).refused).toBe(414);
  const longest = `GET /${'a'.repeat(1024 - 'GET / HTTP/1.1\r\n'.length)} HTTP/1.1`;
  expect(refusalOf(line(longest), limits)).toBe(0);
  expect(refusalOf(line(longest.replace('/', '/a')), limits)).toBe(414);
});

test('9112 3.2: a target has only bytes of a URI, and no fragment', () => {
  for (const target of ['/a b', '/a"', '/<a>', '/a\\b', '/a^', '/`', '/{a}', '/a|b', '/#a', '/\x7f', '/\x01', '/ä']) {
    expect(refusalOf(line(`GET ${target} HTTP/1.1`)), target).toBe(400);
  }
  expect(pathOf(line("GET /-._~!$&'()*+,;=:@/[]%2F%zz?q=/?%20 HTTP/1.1"))).toBe("/-._~!$&'()*+,;=:@/[]%2F%zz");
});

test('9112 3.2.1: the path of the origin form is as sent, without the query', () => {
  expect(pathOf(get('/a%2Fb/../c?d=e?f'))).toBe('/a%2Fb/../c');
  expect(pathOf(get('/?'))).toBe('/');
  expect(pathOf(get('//a'))).toBe('//a');
  expect(refusalOf(line('GET a HTTP/1.1'))).toBe(400);
  expect(refusalOf(line('GET ?a HTTP/1.1'))).toBe(400);
});

test('9112 3.2.2: the absolute form is understood, and its authority is the Host', () => {
  const { requests } = parse(`GET http://b:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n${get('/z')}`);
  expect(requests.map(({ path, fields }) => [path, fields])).toEqual([
    ['/x', ['host=b:80']],
    ['/z', ['host=a']],
  ]);
  expect(pathOf(line('GET HTTPS://b HTTP/1.1'))).toBe('/');
  expect(pathOf(line('GET http://b?x HTTP/1.1'))).toBe('/');
  expect(pathOf(line('GET http://[::1]:8000/x HTTP/1.1'))).toBe('/x');
});

test('9112 3.2.2: the absolute form still needs one valid Host', () => {
  expect(refusalOf('GET http://a/ HTTP/1.1\r\n\r\n')).toBe(400);
  expect(refusalOf(`GET http://a/ HTTP/1.1\r\n${host}${host}\r\n`)).toBe(400);
});

test('9110 4.2: an absolute form without a host, with a user or of another scheme is refused', () => {
  for (const target of [
    'http:///x',
    'http://',
    'http://:80/',
    'http://u@a/',
    'http://u:p@a/',
    'http://a:b/',
    'ftp://a/',
    'http:/a',
    'http:a',
    'a:80',
  ]) {
    expect(refusalOf(line(`GET ${target} HTTP/1.1`)), target).toBe(400);
  }
});

test('9112 3.2.3: the authority form belongs to CONNECT, which is not implemented', () => {
  expect(refusalOf(line('CONNECT a:80 HTTP/1.1'))).toBe(501);
  expect(refusalOf(line('CONNECT /x HTTP/1.1'))).toBe(501);
  expect(refusalOf(line('GET a:80 HTTP/1.1'))).toBe(400);
});

test('9112 3.2.4: the asterisk form belongs to OPTIONS', () => {
  expect(pathOf(line('OPTIONS * HTTP/1.1'))).toBe('*');
  expect(refusalOf(line('GET * HTTP/1.1'))).toBe(400);
  expect(refusalOf(line('OPTIONS ** HTTP/1.1'))).toBe(400);
});

test('9112 3.2: a Host is needed once, but not by HTTP/1.0', () => {
  expect(refusalOf('GET / HTTP/1.1\r\n\r\n')).toBe(400);
  expect(refusalOf('GET / HTTP/1.0\r\n\r\n')).toBe(0);
  expect(refusalOf(`GET / HTTP/1.1\r\n${host}${host}\r\n`)).toBe(400);
  expect(refusalOf(`GET / HTTP/1.0\r\n${host}hOsT: b\r\n\r\n`)).toBe(400);
});

test('9112 3.2: a Host is empty, a name or an address, with or without a port', () => {
  const withHost = (value: string) => refusalOf(`GET / HTTP/1.1\r\nHost: ${value}\r\n\r\n`);
  for (const value of ['', 'a', 'a.b-c_d:8000', 'a:', '127.0.0.1:80', '[::1]', '[::1]:80', '%41', 'a,b'])
    expect(withHost(value), value).toBe(0);
  for (const value of [
    'a b',
    'a:b',
    'a:80:80',
    'u@a',
    'a/b',
    'http://a',
    '[::1',
    '::1',
    'a\\b',
    'ä',
    '%zz',
    'a:80, b',
    'a#',
    'a?',
  ]) {
    expect(withHost(value), value).toBe(400);
  }
});

test('9112 3: a request line is refused as soon as its last byte is there', () => {
  for (const text of ['GET /\r\n', 'GET / \r\n', 'GET / HTTP/\r\n', 'GET / HTTP/1.\r\n', 'GET / HTTP/1.1\n', 'G\r\n']) {
    expect(refusalOf(text), JSON.stringify(text)).toBe(400);
  }
});
