/** The settings of a worker that runs a model written in JavaScript. */
export interface JavaScriptSettings {
  /** The module, absolute. */
  readonly modelPath: string;
  readonly version: number;
  /** Absolute. */
  readonly versionDirectory: string;
  readonly kind: string;
  /** CUDA device; -1 = none. */
  readonly device: number;
  /** The configuration as the config endpoint shows it. */
  readonly configJson: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** It answers a request any number of times. */
  readonly isDecoupled: boolean;
  /** Its requests may run again (`iterative_sequence`). */
  readonly isIterative: boolean;
  /** How long `finalize` may take, and requests before it that are still answered. */
  readonly finalizeTimeoutMs: number;
}

/** What the worker that looks at a module first is given. */
export interface ProbeOrder {
  readonly modelPath: string;
  /** Given to `configure`; '' = the configuration is not to be completed. */
  readonly configJson: string;
}

/** What it found: the fields that `configure` returned, as JSON ('' = none), or why the module cannot be used. */
export type ProbeReport =
  | { readonly kind: 'good'; readonly completedJson: string }
  | { readonly kind: 'bad'; readonly message: string };
