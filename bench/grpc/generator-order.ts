/** To the generator: load a server for so long. */
export interface GeneratorOrder {
  /** A call for each message, or all messages of a connection on one call. */
  readonly way: 'unary' | 'stream';
  readonly port: number;
  readonly connections: number;
  /** Messages without an answer on each connection. */
  readonly inFlightEach: number;
  readonly seconds: number;
  /** A ModelInferRequest. */
  readonly messageBase64: string;
}
