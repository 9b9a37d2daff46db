const LONGEST_SHOWN = 40;

/** A value of JSON, for messages. */
export function shown(value: unknown): string {
  if (value instanceof Map) return 'an object';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : `an array of ${value.length}`;
  if (value === undefined) return 'nothing';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}...` : text;
}
