/** `Invalid argument: text` -> `text`. */
export function withoutClass(reason: string): string {
  return reason.replace(/^[A-Z][a-z]+( [a-z]+)?: /, '');
}
