/** One output of one execution, as the backend has it; valid until the next one. */
export interface RunOutput {
  readonly dims: readonly number[];
  /** BYTES: with the length in front of each element. */
  readonly bytes: number;
  /** BYTES only: where each element begins, and behind them the end; else empty. */
  readonly starts: readonly number[];
  /** Writes the tensor to the arena, from byte `begin` on; nothing to do where the backend put it there. */
  copyTo(begin: number): void;
}
