import type { ModelConfig } from '../../src/config/model-config.js';
import { type FieldSchema, type MessageSchema, modelConfigSchema } from '../../src/config/schema.js';

/** A number from 0 to `choices` - 1: which of the ways to write the same thing. */
export type Pick = (choices: number) => number;

/** Writes a configuration as protobuf text format, every choice of style taken by `pick`. */
export function printModelConfig(config: ModelConfig, pick: Pick): string {
  return new Printer(pick).fields(config as unknown as Record<string, unknown>, modelConfigSchema());
}

class Printer {
  readonly #pick: Pick;

  constructor(pick: Pick) {
    this.#pick = pick;
  }

  fields(message: Record<string, unknown>, schema: MessageSchema): string {
    const printed = [...schema.fields.values()].flatMap((field) => this.#field(message[field.name], field));
    return printed.map((text) => this.#blank() + text + this.#one(' ', '\n', ',', ';', ' , ')).join('');
  }

  #field(value: unknown, field: FieldSchema): string[] {
    if (value === undefined) return [];
    if (field.mapKey !== '') {
      const entries = Object.entries(value as object).map(([key, item]) => this.#entry(key, item, field));
      return this.#many(entries, field, true);
    }
    if (!field.repeated) return [this.#named(field, this.#item(value, field), field.message !== null)];
    const items = (value as unknown[]).map((item) => this.#item(item, field));
    return this.#many(items, field, field.message !== null);
  }

  /** As a list, one by one, or first the one and then the other. */
  #many(items: string[], field: FieldSchema, isMessage: boolean): string[] {
    const split = this.#pick(items.length + 1);
    const list = `[${this.#blank()}${items.slice(split).join(`${this.#blank()},${this.#blank()}`)}${this.#blank()}]`;
    return [
      ...items.slice(0, split).map((item) => this.#named(field, item, isMessage)),
      ...(split < items.length || this.#pick(2) === 0 ? [this.#named(field, list, isMessage)] : []),
    ];
  }

  #named(field: FieldSchema, value: string, isMessage: boolean): string {
    const colon = isMessage ? this.#one(':', '') : ':';
    return field.name + this.#blank() + colon + this.#blank() + value;
  }

  #entry(key: string, value: unknown, field: FieldSchema): string {
    const printedKey = field.mapKey === 'string' ? this.#string(key) : this.#integer(BigInt(key));
    const named = `value${this.#blank()}${field.message === null ? ':' : this.#one(':', '')} ${this.#item(value, field)}`;
    return this.#braces(this.#pick(2) === 0 ? `key:${printedKey} ${named}` : `${named} key: ${printedKey}`);
  }

  #item(value: unknown, field: FieldSchema): string {
    if (field.message !== null) return this.#braces(this.fields(value as Record<string, unknown>, field.message));
    if (field.kind === 'enum') return this.#one(String(value), String(field.values[String(value)]));
    if (field.scalar === 'string') return this.#string(String(value));
    if (field.scalar === 'bool')
      return value ? this.#one('true', 'True', 't', '1') : this.#one('false', 'False', 'f', '0');
    if (field.scalar === 'float' || field.scalar === 'double') return this.#float(value as number);
    return this.#integer(BigInt(value as number | bigint));
  }

  #braces(inside: string): string {
    return this.#pick(2) === 0 ? `{${inside}${this.#blank()}}` : `<${inside}${this.#blank()}>`;
  }

  #integer(value: bigint): string {
    const magnitude = value < 0n ? -value : value;
    const digits = this.#one(String(magnitude), `0x${magnitude.toString(16)}`, `0${magnitude.toString(8)}`);
    return value < 0n ? `-${this.#one('', ' ')}${digits}` : digits;
  }

  #float(value: number): string {
    if (Number.isNaN(value)) return this.#one('nan', 'NaN', 'NAN');
    const sign = value < 0 || Object.is(value, -0) ? '-' : '';
    const magnitude = Math.abs(value);
    if (magnitude === Number.POSITIVE_INFINITY) return sign + this.#one('inf', 'Infinity', 'INF');
    return sign + String(magnitude) + this.#one('', 'f', 'F');
  }

  #string(value: string): string {
    const points = [...value];
    const split = this.#pick(points.length + 1);
    const second = split < points.length ? this.#blank() + this.#quoted(points.slice(split)) : '';
    return this.#quoted(points.slice(0, split)) + second;
  }

  #quoted(points: string[]): string {
    const quote = this.#one('"', "'");
    return quote + points.map((point) => this.#character(point, quote)).join('') + quote;
  }

  #character(point: string, quote: string): string {
    const mustEscape = point === quote || point === '\\' || point === '\n';
    const style = this.#pick(mustEscape ? 4 : 8);
    const bytes = [...Buffer.from(point)];
    if (style === 0) return bytes.map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
    if (style === 1) return bytes.map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
    if (style === 2) return `\\U${point.codePointAt(0)!.toString(16).padStart(8, '0')}`;
    if (style > 3) return point;
    const units = Array.from({ length: point.length }, (_, i) => point.charCodeAt(i));
    return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
  }

  #blank(): string {
    return this.#one('', '', '', ' ', '\t', '\n  ', '# a "comment" { \n', ' #\r\n');
  }

  #one(...styles: string[]): string {
    return styles[this.#pick(styles.length)]!;
  }
}
