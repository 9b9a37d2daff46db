/** What the worker of a model written in code tells over its port beside what goes through the ring. */
export type FromWorker = LogMessage;

/** A line for the server's log. */
export interface LogMessage {
  readonly kind: 'log';
  readonly severity: 'error' | 'warning' | 'info' | 'verbose';
  /** Of verbose lines: shown from `--log-verbose` that level on. */
  readonly level: number;
  readonly text: string;
}
