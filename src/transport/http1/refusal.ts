/** Why a request is not handed on. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
  /** Where this request ends is in doubt: nothing behind it on its connection may be read as a request. */
  readonly endUnknown: boolean;
}

export function refusal(status: number, message: string): Refusal {
  return { status, message, endUnknown: false };
}

/** 400 for a request that two readers could take apart differently (request smuggling), or that is none. */
export function doubt(message: string): Refusal {
  return { status: 400, message, endUnknown: true };
}

export function bodyTooLarge(maxBodyBytes: number): Refusal {
  return refusal(413, `the request body is larger than ${maxBodyBytes} bytes (--http-max-body-size)`);
}

export function tooManyHeaders(count: number, maxHeaderCount: number): Refusal {
  return refusal(431, `the request has ${count} headers, at most ${maxHeaderCount} are accepted`);
}

export function headersTooLong(bytes: number, maxHeaderBytes: number): Refusal {
  return refusal(431, `the headers have ${bytes} bytes, at most ${maxHeaderBytes} are accepted`);
}

export function bodyTooSlow(bodyTimeoutMs: number): Refusal {
  return refusal(408, `the request was not complete within ${bodyTimeoutMs} ms`);
}

export function tooManyConnections(maxConnections: number): Refusal {
  return refusal(429, `the server has ${maxConnections} connections, which is its limit`);
}

/** What a handler that threw looks like from outside; the log has the rest. */
export const handlerFailed: Refusal = refusal(500, 'internal error while handling the request');
