import type { ModelConfig } from './model-config.js';
import { type FieldSchema, type MessageSchema, modelConfigSchema } from './schema.js';

/** 64-bit fields that Triton writes as strings; all others are numbers (fact sheet 1.4). */
const STRING_FIELDS = new Set(['InitialState.dims', 'Shape.dim', 'SecondaryDevice.device_id']);

/**
 * The configuration as the config endpoint answers it: fields in the order of the message, by their proto names; defaults are
 * written, unset messages and oneof branches are not. Integers beyond 2^53 are exact.
 */
export function modelConfigToJson(config: ModelConfig): string {
  return messageJson(config as unknown as Record<string, unknown>, modelConfigSchema());
}

function messageJson(message: Record<string, unknown>, schema: MessageSchema): string {
  const members: string[] = [];
  for (const field of schema.fields.values()) {
    const value = message[field.name];
    if (value === undefined) continue;
    members.push(`${JSON.stringify(field.name)}:${fieldJson(value, field, schema)}`);
  }
  return `{${members.join(',')}}`;
}

function fieldJson(value: unknown, field: FieldSchema, schema: MessageSchema): string {
  if (field.mapKey !== '') {
    const entries = Object.entries(value as object).map(
      ([key, item]) => `${JSON.stringify(key)}:${itemJson(item, field, schema)}`,
    );
    return `{${entries.join(',')}}`;
  }
  if (field.repeated) return `[${(value as unknown[]).map((item) => itemJson(item, field, schema)).join(',')}]`;
  return itemJson(value, field, schema);
}

function itemJson(value: unknown, field: FieldSchema, schema: MessageSchema): string {
  if (field.message !== null) return messageJson(value as Record<string, unknown>, field.message);
  if (STRING_FIELDS.has(`${schema.name}.${field.name}`)) return JSON.stringify(String(value));
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return JSON.stringify(String(value));
  if (field.scalar === 'float') return String(shortestFloat(value as number));
  return JSON.stringify(value);
}

/** The double with the fewest digits that is this FP32 value: 0.1 instead of 0.10000000149011612. */
export function shortestFloat(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return value;
}
