/** What the peer may still send, on a stream or on a connection (5.2, 6.9). */
export class ReceiveWindow {
  /** Of the peer; below 0 it broke the rule, or SETTINGS took more than it had left (6.9.2). */
  left: number;
  #size: number;
  /** Consumed, and not yet given back to the peer. */
  #credit = 0;

  constructor(size: number) {
    this.left = size;
    this.#size = size;
  }

  /** False = more came than was allowed. */
  take(bytes: number): boolean {
    this.left -= bytes;
    return this.left >= 0;
  }

  /**
   * Gives bytes back; the result is the increment to send now, 0 = wait for more. Half the window: seldom enough to cost nothing,
   * early enough for the peer never to stop.
   */
  consume(bytes: number): number {
    this.#credit += bytes;
    if (this.#credit * 2 < this.#size) return 0;
    const increment = this.#credit;
    this.#credit = 0;
    this.left += increment;
    return increment;
  }

  /** SETTINGS_INITIAL_WINDOW_SIZE changed (6.9.2). */
  resize(size: number): void {
    this.left += size - this.#size;
    this.#size = size;
  }
}
