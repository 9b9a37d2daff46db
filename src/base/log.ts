/** The four verbs of the log; `verbose` is shown from `--log-verbose` that level on. One event, one line, no per-request lines below level 1. */
export interface Log {
  info(message: string): void;
  warning(message: string): void;
  error(message: string): void;
  verbose(level: number, message: string): void;
}

/** For tests and tools that have nobody to tell. */
export const silentLog: Log = { info() {}, warning() {}, error() {}, verbose() {} };
