/** What happened in a soak: counts by name, and the first things that were wrong. */
export class Tally {
  readonly counts = new Map<string, number>();
  readonly wrongs: string[] = [];

  count(name: string, by = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + by);
  }

  of(name: string): number {
    return this.counts.get(name) ?? 0;
  }

  wrong(text: string): void {
    if (this.wrongs.length < 10) this.wrongs.push(text);
  }
}
