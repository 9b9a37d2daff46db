/** To the generator of `conch bench` in a process of its own: one kind of request, over and over, in a closed loop of one thread. */
export interface GeneratorOrder {
  readonly port: number;
  readonly path: string;
  /** The whole request, head and body. */
  readonly requestBase64: string;
  readonly connections: number;
  readonly seconds: number;
}

export interface GeneratorRun {
  readonly requests: number;
  readonly failures: number;
  readonly seconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Of the process, all its threads. */
  readonly cpuUs: number;
}
