import { TableField } from './field.js';

/** RFC 7541, appendix A: fields 1 to 61 in order; a blank separates name and value. */
const lines = `
:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`;

/** By index less one. */
export const staticFields: readonly TableField[] = lines.trim().split('\n').map(parseLine);

const firstByName = new Map<string, number>();
for (const [at, { name }] of staticFields.entries()) if (!firstByName.has(name)) firstByName.set(name, at + 1);

/** The index of the field itself; 0 = the table has none such. */
export function staticIndex(name: string, value: string): number {
  return staticFields.findIndex((field) => field.name === name && field.value === value) + 1;
}

/** The index of a field with that name; 0 = the table has none. */
export function staticNameIndex(name: string): number {
  return firstByName.get(name) ?? 0;
}

function parseLine(line: string): TableField {
  const blank = line.indexOf(' ');
  return blank < 0 ? new TableField(line, '') : new TableField(line.slice(0, blank), line.slice(blank + 1));
}
