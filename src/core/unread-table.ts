/** Who has something that is not read, and since when nothing of it was. Pure: times come with the calls, in any unit, and never go back. */
export class UnreadTable<Who> {
  readonly #timeout: number;
  /** The longest wait comes first. */
  readonly #since = new Map<Who, number>();

  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  /** It has something to read; what it had before may be unread. */
  given(who: Who, now: number): void {
    if (!this.#since.has(who)) this.#since.set(who, now);
  }

  /** It has read something, and `left` things are left. */
  taken(who: Who, left: number, now: number): void {
    if (this.#since.delete(who) && left > 0) this.#since.set(who, now);
  }

  /** When somebody will have waited for too long; Infinity = nobody waits. */
  get due(): number {
    for (const since of this.#since.values()) return since + this.#timeout;
    return Number.POSITIVE_INFINITY;
  }

  /** Those who have, and are not waited for any more. */
  takeOverdue(now: number): Who[] {
    const overdue: Who[] = [];
    for (const [who, since] of this.#since) {
      if (since + this.#timeout > now) break;
      overdue.push(who);
    }
    for (const who of overdue) this.#since.delete(who);
    return overdue;
  }
}
