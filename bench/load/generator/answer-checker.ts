import { checkAnswer } from '../encode/check-answer.js';
import type { PreparedStreams } from '../encode/prepared-request.js';
import type { Answer, Failure, WireProtocol } from '../wires/wire.js';
import type { Place } from './lane.js';

/** Compares good answers with what is expected of them; null = nothing is expected anywhere. */
export function answerChecker(
  protocol: WireProtocol,
  streams: PreparedStreams,
): ((answer: Answer, place: Place) => Failure | null) | null {
  if (streams.every((steps) => steps.every(({ expected }) => expected === null))) return null;
  return (answer, place) => {
    const { expected } = place.step!;
    return expected === null || answer.isEmpty ? null : checkAnswer(protocol, expected, answer);
  };
}
