/** How a client goes away in the middle of everything: hangs up, or makes the connection void. */
export type Vanishing = 'FIN' | 'RST';

/** A connection that carries steps of sequences: one stream of gRPC, or one WebSocket. */
export interface Channel {
  /**
   * Resolves when the server has ended it as it should: after `halfClose`, and everything before is answered. Rejects for the first
   * failure, or where it ends otherwise.
   */
  readonly ended: Promise<void>;
  /** `count` whole steps. */
  send(steps: Buffer, count: number): void;
  /** Says that nothing more comes. */
  halfClose(): void;
  pause(): void;
  resume(): void;
  /** The user is not called any more. */
  vanish(how: Vanishing): void;
  close(): void;
}

export interface ChannelUser {
  /** `bytes[start, end)` is one answer, valid during the call: a ModelStreamInferResponse, or the payload of a message. */
  onAnswer(bytes: Buffer, start: number, end: number): void;
  /** What came is read to its end: time to send. */
  onTurn(): void;
}

/** For a way to be told apart from the other by its name. */
export type Way = 'grpc' | 'ws';
