import { describe, expect, it } from 'vitest';
import { fixedPart } from '../../src/config/in-place.js';
import type { ModelConfig } from '../../src/config/model-config.js';
import { emptyMessage, type FieldSchema, modelConfigSchema } from '../../src/config/schema.js';
import { fullConfig } from './full-config.js';

const full = fullConfig as unknown as ModelConfig;

/** What a model that serves takes on; the rest is another model. */
const FREE = ['version_policy', 'metric_tags', 'model_warmup'];
/** Free in part: see below. */
const PARTLY = ['dynamic_batching', 'output', 'instance_group'];

const { sequence_batching: _, ...withoutSequences } = full;

/** Another value than that of `fullConfig`. */
function other(field: FieldSchema, value: unknown): unknown {
  if (field.mapKey !== '') return {};
  if (field.repeated) return [...(value as unknown[]), ...(value as unknown[])];
  if (field.message !== null) return undefined;
  return field.scalar === 'string' ? 'other' : 7;
}

const fields = [...modelConfigSchema().fields.values()];

describe.each(fields.map((field) => [field.name, field] as const))('%s', (name, field) => {
  it(FREE.includes(name) ? 'is free' : 'is fixed', () => {
    const before = full[name as keyof ModelConfig];
    const changed = { ...full, [name]: other(field, before) };
    expect(changed[name as keyof ModelConfig]).not.toEqual(before);
    if (name === 'dynamic_batching') expect(fixedPart(changed)).toBe(fixedPart(full));
    else expect(fixedPart(changed) === fixedPart(full)).toBe(FREE.includes(name));
  });
});

it('is known of every field of the message', () => {
  const names = fields.map(({ name }) => name);
  for (const name of [...FREE, ...PARTLY]) expect(names).toContain(name);
  expect(names.sort()).toEqual(Object.keys(full).sort());
});

describe('dynamic batching', () => {
  const { name, backend } = full;
  const plain = { ...(emptyMessage(modelConfigSchema()) as unknown as ModelConfig), name, backend };
  const ordered = (preserve_ordering: boolean) => ({
    ...plain,
    dynamic_batching: { ...full.dynamic_batching!, preserve_ordering },
  });

  it('may come, go and change, but for the order of answers', () => {
    expect(fixedPart(ordered(false))).toBe(fixedPart(plain));
    expect(fixedPart(ordered(true))).not.toBe(fixedPart(plain));
  });

  it.each(
    [...modelConfigSchema().fields.get('dynamic_batching')!.message!.fields.values()].map(
      (it) => [it.name, it] as const,
    ),
  )('%s', (member, field) => {
    const before = full.dynamic_batching![member as 'preserve_ordering'];
    const value = member === 'preserve_ordering' ? true : other(field, before);
    const changed = { ...full, dynamic_batching: { ...full.dynamic_batching!, [member]: value } };
    expect(fixedPart(changed) === fixedPart(full)).toBe(member !== 'preserve_ordering');
  });
});

describe('instances', () => {
  const changed = (config: ModelConfig) => ({ ...config, instance_group: [{ ...full.instance_group[0]!, count: 5 }] });

  it('are free, but where sequences live in them', () => {
    expect(fixedPart(changed(withoutSequences))).toBe(fixedPart(withoutSequences));
    expect(fixedPart(changed(full))).not.toBe(fixedPart(full));
  });
});

describe('an output', () => {
  it('may have other labels, and nothing else', () => {
    const output = full.output[0]!;
    const withOutput = (parts: Partial<typeof output>) => fixedPart({ ...full, output: [{ ...output, ...parts }] });
    expect(withOutput({ label_filename: 'other' })).toBe(fixedPart(full));
    const others = { name: 'x', data_type: 'TYPE_INT8', dims: [2], is_shape_tensor: true } as const;
    for (const [key, value] of Object.entries(others)) expect(withOutput({ [key]: value })).not.toBe(fixedPart(full));
  });
});
