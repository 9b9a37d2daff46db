import { errorName } from './wire.js';

/** 5.4.1: the connection is of no more use. Thrown while bytes are read; becomes a GOAWAY whose debug data is the message. */
export class ConnectionError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.name = errorName(code);
    this.code = code;
  }
}
