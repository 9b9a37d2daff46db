import type { TimePoint } from '../report.js';
import { PIECE_MS, type Piece, type Window } from './window.js';

/** A rest shorter than this joins the piece before it: a rate over a few milliseconds says nothing. */
const SHORTEST_MS = PIECE_MS / 2;

const nothing: Piece = { requests: 0, failures: 0, sumUs: 0, maxUs: 0 };

/** What happened when, over windows that follow each other. Seconds count from the beginning of the first. */
export function timelineOf(windows: readonly Window[]): TimePoint[] {
  const beginMs = windows[0]?.beginMs ?? 0;
  return windows.flatMap((window) =>
    spansOf(window).map(({ piece, fromMs, lengthMs }) => pointOf(piece, window.beginMs - beginMs + fromMs, lengthMs)),
  );
}

interface Span {
  readonly piece: Piece;
  /** After the beginning of the window. */
  readonly fromMs: number;
  readonly lengthMs: number;
}

function spansOf({ beginMs, endMs, pieces }: Window): Span[] {
  const totalMs = endMs - beginMs;
  const spans: Span[] = [];
  for (let fromMs = 0, i = 0; fromMs < totalMs; fromMs += PIECE_MS, i += 1) {
    const span = { piece: pieces[i] ?? nothing, fromMs, lengthMs: Math.min(PIECE_MS, totalMs - fromMs) };
    const before = span.lengthMs < SHORTEST_MS ? spans.pop() : undefined;
    spans.push(before === undefined ? span : join(before, span));
  }
  return spans;
}

function join(a: Span, b: Span): Span {
  const piece = {
    requests: a.piece.requests + b.piece.requests,
    failures: a.piece.failures + b.piece.failures,
    sumUs: a.piece.sumUs + b.piece.sumUs,
    maxUs: Math.max(a.piece.maxUs, b.piece.maxUs),
  };
  return { piece, fromMs: a.fromMs, lengthMs: a.lengthMs + b.lengthMs };
}

function pointOf({ requests, failures, sumUs, maxUs }: Piece, atMs: number, lengthMs: number): TimePoint {
  return {
    atSeconds: atMs / 1000,
    requestsPerSecond: (requests * 1000) / lengthMs,
    failuresPerSecond: (failures * 1000) / lengthMs,
    meanUs: requests === 0 ? 0 : sumUs / requests,
    maxUs,
  };
}
