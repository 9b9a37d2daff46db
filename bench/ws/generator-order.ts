/** To the generator: load a server for so long. */
export interface GeneratorOrder {
  /** A connection for each request in flight, or WebSockets with several on each. */
  readonly way: 'http' | 'ws';
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  /** Requests without an answer on each connection; 1 over HTTP. */
  readonly inFlightEach: number;
  readonly seconds: number;
  /** Of the JSON at the beginning of the body; 0 = the body is JSON altogether. */
  readonly headBytes: number;
  /** The same for both ways, with an id of `ID_DIGITS` zeros in its JSON. */
  readonly bodyBase64: string;
}

/** Each request gets another id, of so many digits. */
export const ID_DIGITS = 8;
