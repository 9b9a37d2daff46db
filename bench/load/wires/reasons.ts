/** Why a connection did not come about, or was of no use, for people: Node's errors have it in several forms. */
export function reasonOf(error: Error): string {
  // Where a name has several addresses there is a message for each, and none of its own.
  if (error instanceof AggregateError) return [...new Set(error.errors.map(reasonOf))].join(', ');
  const { code } = error as NodeJS.ErrnoException;
  if (code?.startsWith('HPE_')) return `no HTTP/1.1 is spoken there (${error.message})`;
  if (code === 'EMFILE') return 'this process may not open more files and connections (EMFILE): raise `ulimit -n`';
  return tlsReason(error.message) ?? error.message;
}

/** Of OpenSSL's lines; null = it is none. */
function tlsReason(message: string): string | null {
  const ssl = /SSL routines:[^:]*:([^:]+):/.exec(message);
  return ssl === null ? null : `TLS did not come about: ${ssl[1]}`;
}

/** The same of gRPC, from the details of `UNAVAILABLE`: without the time and the empty note at the end. */
export function grpcReason(details: string): string {
  const known = /Last error: (.*?)(?: \(\d{4}-[^)]*\))?\. Resolution note: *$/s.exec(details);
  const reason = (known?.[1] ?? details).trim().replace(/^Error(?: \[\w+\])?: /, '');
  const tls = tlsReason(reason);
  if (tls !== null) return tls;
  return reason === 'Protocol error' ? 'no HTTP/2 is spoken there (Protocol error)' : reason;
}
