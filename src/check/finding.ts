/** error: the server refuses it. warning: it is served, but hardly as meant. hint: it could be better, or should be known. */
export type Severity = 'error' | 'warning' | 'hint';

/** `text` in place of what stands in a configuration's text from `at` to `end` (offsets without a byte order mark). */
export interface Edit {
  readonly at: number;
  readonly end: number;
  readonly text: string;
}

/** One thing that is wrong or doubtful. */
export interface Finding {
  readonly model: string;
  /** Absolute. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  readonly severity: Severity;
  /** Which rule says so: a word of `docs/check.md`. */
  readonly rule: string;
  /** `input[0].dims`; '' = it is about no field. */
  readonly field: string;
  readonly message: string;
  /** The text that is meant; '' = what is meant is not there. */
  readonly found: string;
  /** What would be right. */
  readonly expected: string;
  /** What to do. */
  readonly fix: string;
  /** What does it without a change to any answer of the model; none = somebody has to decide. */
  readonly edits: readonly Edit[];
}

const ranks: Readonly<Record<Severity, number>> = { error: 0, warning: 1, hint: 2 };

/** By file and place, errors first in a place; what is said twice of a place is said once. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  const seen = new Set<string>();
  const once = findings.filter(({ file, line, column, message }) => {
    const key = JSON.stringify([file, line, column, message]);
    return !seen.has(key) && seen.add(key);
  });
  return once.sort(
    (a, b) =>
      compare(a.model, b.model) ||
      compare(a.file, b.file) ||
      a.line - b.line ||
      a.column - b.column ||
      ranks[a.severity] - ranks[b.severity],
  );
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

export function count(findings: readonly Finding[], severity: Severity): number {
  return findings.filter((finding) => finding.severity === severity).length;
}
