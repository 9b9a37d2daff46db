import { autocomplete } from '../config/autocomplete.js';
import { completeConfig } from '../config/complete.js';
import type { ConfigSteps } from '../config/marks.js';
import type { ModelConfig } from '../config/model-config.js';
import { normalizeConfig } from '../config/normalize.js';
import type { ModelEntry } from '../repository/scan.js';
import { firstByName } from '../repository/wanted.js';
import type { ModelSignature } from '../types/model.js';
import type { CheckSettings } from './settings.js';

/** Throws INVALID_ARGUMENT where a step cannot be done. */
export function takeSteps(
  written: ModelConfig,
  entry: Pick<ModelEntry, 'name' | 'versions'>,
  signature: ModelSignature | null,
  { machine, autoComplete, defaultMaxBatchSize }: CheckSettings,
): ConfigSteps {
  const completed = completeConfig(written, entry.name, firstByName(entry.versions)?.entries ?? []);
  const normalized = normalizeConfig(completed, machine);
  if (signature === null || !autoComplete) return { written, completed, normalized, effective: normalized };
  const filled = autocomplete(normalized, signature, { defaultMaxBatchSize }).config;
  return { written, completed, normalized, effective: normalizeConfig(filled, machine) };
}
