import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * What the server sees: RST; what the kernel makes of a closed socket, which is RST where something was not read; FIN from a client
 * that reads on until the server closes.
 */
export const CUT_WAYS = ['reset', 'destroy', 'end'] as const;

export interface Cut {
  readonly direction: 'to server' | 'to client';
  /** So many pass in that direction, wherever a frame or message ends. */
  readonly bytes: number;
  /** How long nothing moves in that direction before the connection is cut. */
  readonly delayMs: number;
  readonly way: (typeof CUT_WAYS)[number];
}

/** Stands between a client and the server, and cuts the one connection that it takes. */
export class CuttingRelay {
  /** Both its sockets are. */
  readonly closed: Promise<void>;
  readonly #cut: Cut;
  readonly #serverPort: number;
  readonly #listener: Server;
  /** Bytes that may still pass. */
  #left: number;
  #isStalled = false;
  #onClosed!: () => void;

  private constructor(serverPort: number, cut: Cut) {
    this.#serverPort = serverPort;
    this.#cut = cut;
    this.#left = cut.bytes;
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve;
    });
    this.#listener = createServer((client) => this.#accept(client));
  }

  static async open(serverPort: number, cut: Cut): Promise<CuttingRelay> {
    const relay = new CuttingRelay(serverPort, cut);
    await new Promise<void>((resolve) => relay.#listener.listen(0, '127.0.0.1', resolve));
    return relay;
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  /** The bytes of the cut have passed. */
  get isStalled(): boolean {
    return this.#isStalled;
  }

  #accept(client: Socket): void {
    const server = connect({ host: '127.0.0.1', port: this.#serverPort, noDelay: true });
    const sockets = [client, server];
    // What went wrong is of no interest: 'close' follows.
    for (const socket of sockets) socket.on('error', () => {});
    const closed = sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    void Promise.all(closed).then(this.#onClosed);
    server.once('connect', () => this.#carry(client, server));
    server.once('close', () => client.destroy());
    // A client that tries again finds nobody.
    this.#listener.close();
  }

  #carry(client: Socket, server: Socket): void {
    const [from, to] = this.#cut.direction === 'to server' ? [client, server] : [server, client];
    to.pipe(from, { end: false });
    const stall = () => {
      from.pause();
      if (this.#isStalled) return;
      this.#isStalled = true;
      setTimeout(() => this.#strike(client, server), this.#cut.delayMs);
    };
    if (this.#left === 0) stall();
    from.on('data', (bytes: Buffer) => {
      const passing = bytes.subarray(0, this.#left);
      this.#left -= passing.length;
      const hasRoom = to.write(passing);
      if (this.#left === 0) {
        stall();
      } else if (!hasRoom) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    });
  }

  #strike(client: Socket, server: Socket): void {
    client.destroy();
    switch (this.#cut.way) {
      case 'reset':
        server.resetAndDestroy();
        break;
      case 'destroy':
        server.destroy();
        break;
      case 'end':
        server.unpipe();
        server.removeAllListeners('data');
        server.resume();
        server.end();
    }
  }
}
