/** Who is in a model: requests, and those who will send it some. Tells when they have left. */
export class Occupancy {
  #inFlight = 0;
  #admitted = 0;
  #holders = 0;
  #onIdle: (() => void) | null = null;
  #onChange: (() => void) | null = null;

  /** Requests accepted and not yet answered. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Requests that have memory and are not answered: those in flight, and those whose data is still to come. */
  get admitted(): number {
    return this.#admitted;
  }

  /** Nobody is in it, and nobody will come. */
  get isEmpty(): boolean {
    return this.#admitted + this.#holders === 0;
  }

  /** A request has memory. */
  enter(): void {
    this.#admitted++;
  }

  /** It has none any more. */
  leave(): void {
    this.#admitted--;
    this.#onChange?.();
  }

  /** It is queued. */
  begin(): void {
    this.#inFlight++;
  }

  /** It is answered, or could not be queued. */
  end(): void {
    this.#inFlight--;
  }

  /** Its memory is given back, and its answer is about to be delivered: `settle` follows. */
  answer(): void {
    this.#inFlight--;
    this.#admitted--;
  }

  /** Tells those who wait, where what they wait for has come about: when all is in order, since they end what requests run in. */
  settle(): void {
    this.#onChange?.();
    if (this.#inFlight > 0) return;
    this.#onIdle?.();
    this.#onIdle = null;
  }

  /** Somebody will send requests, until he lets go. */
  hold(): void {
    this.#holders++;
  }

  letGo(): void {
    this.#holders--;
    this.#onChange?.();
  }

  /** Resolves when nothing is in flight. */
  async idle(): Promise<void> {
    if (this.#inFlight === 0) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
  }

  /** Resolves when it is empty and `isDone`, which is asked whenever somebody left and whenever `look` is called. */
  async empty(isDone: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onChange = () => {
        if (this.isEmpty && isDone()) resolve();
      };
      this.#onChange();
    });
  }

  /** What `isDone` says may have changed. */
  look(): void {
    this.#onChange?.();
  }
}
