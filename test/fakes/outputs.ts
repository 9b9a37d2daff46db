import { BatchOutputs, OutputForm } from '../../src/backends/batch-outputs.js';
import { type Arena, alignUp } from '../../src/memory/arena.js';
import { ABSENT, LINE_BEGIN, lineOf, tableBytes, writeLine } from '../../src/memory/layout.js';
import type { DataType } from '../../src/types/datatype.js';

/** One output of one answer; null = the model made none. */
export type FakeOutput = { readonly shape: readonly number[]; readonly bytes: Uint8Array } | null;

export interface FakeAnswer {
  /** As the form has them. */
  readonly outputs?: readonly FakeOutput[];
  /** What the backend says beside them. */
  readonly note?: object;
}

const times = { startUs: 0, inputsUs: 1, inferUs: 3, endUs: 6 };

/** What a backend that answers in parts leaves in the arena: an answer to each entry. */
export function answerInParts(
  arena: Arena,
  datatypes: readonly DataType[],
  batching: boolean,
  answers: readonly FakeAnswer[],
): BatchOutputs {
  const lines = datatypes.length + 1;
  const parts = answers.flatMap(({ outputs, note }) => [
    ...datatypes.map((_, index) => outputs?.[index] ?? null),
    note === undefined ? null : { shape: [], bytes: Buffer.from(JSON.stringify(note)) },
  ]);
  let begin = alignUp(tableBytes(lines * answers.length, 0));
  const slot = arena.take(parts.reduce((sum, part) => sum + alignUp(part?.bytes.length ?? 0), begin));
  if (slot === null) throw new Error('the arena is full');
  parts.forEach((part, index) => {
    const line = lineOf(slot.offset, index);
    if (part === null) {
      arena.table[line + LINE_BEGIN] = ABSENT;
      return;
    }
    writeLine(arena.table, line, begin, part.bytes.length, part.shape);
    arena.bytes.set(part.bytes, slot.offset + begin);
    begin += alignUp(part.bytes.length);
  });
  const form = new OutputForm(
    datatypes.map((datatype) => ({ datatype })),
    batching,
  );
  const entries = answers.length;
  return new BatchOutputs(arena, slot, form, {
    rows: entries,
    entries,
    times,
    contiguous: true,
    reason: 'idle_instance',
    instance: 'fake',
    requests: [],
    stateKey: '',
    inParts: true,
  });
}
