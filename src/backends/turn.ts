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

  /** Some do something at its end, for which others join. */
  readonly #end = (): void => {
    for (let nth = 0; nth < this.#members.length; nth++) this.#members[nth]!.endTurn(this.#rows);
    this.#rows = 0;
    this.#members = [];
  };
}

export const currentTurn = new Turn();
