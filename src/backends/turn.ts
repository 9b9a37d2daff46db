/** Who did something in a turn of the event loop. */
export interface TurnMember {
  /** The turn is over, in which so many rows came, for all of its members together. */
  endTurn(rows: number): void;
}

/** The turn of the event loop that runs: all instances share it, as they share the thread. */
export class Turn {
  #rows = 0;
  #members: TurnMember[] = [];

  /** To be called by each member once in each turn. */
  join(member: TurnMember): void {
    if (this.#members.length === 0) setImmediate(this.#end);
    this.#members.push(member);
  }

  add(rows: number): void {
    this.#rows += rows;
  }

  readonly #end = (): void => {
    const rows = this.#rows;
    const members = this.#members;
    this.#rows = 0;
    this.#members = [];
    for (const member of members) member.endTurn(rows);
  };
}

export const currentTurn = new Turn();
