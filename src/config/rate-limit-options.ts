import { badOption } from './flag.js';
import type { FlagValues } from './flag-values.js';

/** How much there is of a resource of the rate limiter, from `--rate-limit-resource`. */
export interface ResourceLimit {
  /** In lower case: names differ in more than that. */
  readonly resource: string;
  readonly count: number;
  /** The GPU that it is on; -1 = on every device that much. */
  readonly gpu: number;
}

const MAX_COUNT = 2_147_483_647;

/** `--rate-limit=execution_count` with its resources; null = off. Resources are checked either way. */
export function readRateLimit(values: FlagValues): readonly ResourceLimit[] | null {
  const limits = leastOfEach(values.list('rate-limit-resource').map(readLimit));
  return values.text('rate-limit') === 'off' ? null : limits;
}

function readLimit(text: string): ResourceLimit {
  const [, name = '', count = '', device = '-1'] = /^([^:]+):(\d+)(?::(\d+))?$/.exec(text) ?? [];
  if (name === '' || Number(count) > MAX_COUNT || Number(device) > MAX_COUNT) {
    throw badOption(
      'rate-limit-resource',
      `expected NAME:COUNT or NAME:COUNT:DEVICE, with whole numbers from 0 to ${MAX_COUNT}, got '${text}'`,
    );
  }
  return { resource: name.toLowerCase(), count: Number(count), gpu: Number(device) };
}

/** Of what is given twice the smaller counts, as in Triton. */
function leastOfEach(limits: readonly ResourceLimit[]): ResourceLimit[] {
  const least = new Map<string, ResourceLimit>();
  for (const limit of limits) {
    const key = `${limit.gpu} ${limit.resource}`;
    const other = least.get(key);
    if (other === undefined || limit.count < other.count) least.set(key, limit);
  }
  return [...least.values()];
}
