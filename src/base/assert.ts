/** A broken promise of our own code: never the client's fault. The message is for the person who reads the log. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`${message} (this is a bug in Conch)`);
}

/** The end of a `switch` over a union: does not compile while a case is missing. */
export function unreachable(value: never): never {
  throw new Error(`unexpected value ${String(value)} (this is a bug in Conch)`);
}
