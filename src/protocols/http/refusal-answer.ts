import type { Refusal } from '../../transport/http1/refusal.js';

const jsonHeaders: readonly string[] = ['Content-Type', 'application/json'];
const comeAgainHeaders: readonly string[] = [...jsonHeaders, 'Retry-After', '1'];

export function refusalHeaders(refusal: Refusal): readonly string[] {
  return refusal.status === 429 ? comeAgainHeaders : jsonHeaders;
}

export function refusalBody(refusal: Refusal): Buffer {
  return Buffer.from(JSON.stringify({ error: refusal.message }));
}
