/** What a model may expect of the machine that serves it. */
export interface CheckMachine {
  readonly gpus: readonly number[];
  readonly cores: number;
}

/** What models are checked for: a server, as its flags have it. */
export interface CheckSettings {
  readonly machine: CheckMachine;
  readonly autoComplete: boolean;
  /** Where the model file is to say: rows of a batch at most. */
  readonly defaultMaxBatchSize: number;
  /** Names of backends that there are. */
  readonly backends: readonly string[];
}
