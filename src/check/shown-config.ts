import type { Mark } from '../config/marks.js';
import type { ModelConfig } from '../config/model-config.js';

/** What is printed. */
export interface ShownConfig {
  readonly config: ModelConfig;
  readonly configJson: string;
  /** By path; null = nobody says. */
  readonly marks: ReadonlyMap<string, Mark> | null;
  /** The first line: which model of where this is. */
  readonly about: string;
  /** Where auto-completed values come from. */
  readonly modelFile: string;
}
