import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MessageSocket } from '../../../src/protocols/web-socket.js';
import type { ModelChoice } from '../../../src/protocols/ws/model-choice.js';
import {
  type Sent,
  Session,
  type SessionHost,
  type SessionLimits,
  type Task,
  type TaskOwner,
} from '../../../src/protocols/ws/session.js';
import type { ServerError } from '../../../src/types/errors.js';

/** Sends what its task says, as text; the client takes it when the test says so. */
class FakeSocket implements MessageSocket {
  canPause = true;
  unsentLimit = Number.POSITIVE_INFINITY;
  unsentBytes = 0;
  isPaused = false;
  readonly sent: string[] = [];
  readonly calls: string[] = [];

  get isWritable(): boolean {
    return this.unsentBytes <= this.unsentLimit;
  }

  sendText(text: Uint8Array): void {
    this.sent.push(Buffer.from(text).toString());
  }

  sendBinary(): void {}
  sendParts(): void {}

  ping(): void {
    this.calls.push('ping');
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  close(code: number, reason: string): void {
    this.calls.push(`close ${code} ${reason}`);
  }

  terminate(): void {
    this.calls.push('terminate');
  }
}

/** A message `a` is a request with that id, `-a` cancels it. It is answered, once or more often, when the test says so. */
class FakeTask implements Task {
  place = 0;
  isQueued = false;
  requestId = '';
  isSettled = false;
  /** To be sent. */
  readonly answers: string[] = [];
  state: 'taken' | 'begun' | 'abandoned' | 'sent' = 'taken';
  #owner: TaskOwner | null = null;
  #refusal: string | null = null;

  read(message: Buffer): string | null {
    const text = message.toString();
    if (text.startsWith('-')) return text.slice(1);
    this.requestId = text;
    return null;
  }

  refuse(error: ServerError): void {
    this.#refusal = error.code;
  }

  begin(_message: Buffer, owner: TaskOwner): void {
    this.state = 'begun';
    this.#owner = owner;
    if (this.#refusal !== null) this.settle(this.#refusal);
  }

  get isReady(): boolean {
    return this.answers.length > 0 || this.isSettled;
  }

  /** The last answer; '' = none, but that it is over. */
  settle(answer: string): void {
    this.isSettled = true;
    this.answer(answer);
  }

  answer(answer: string): void {
    if (answer !== '') this.answers.push(`${this.requestId}: ${answer}`);
    this.#owner!.onReady(this);
  }

  stalls(hasUnsent: boolean): boolean {
    return this.#owner!.onStalled(this, hasUnsent);
  }

  cancel(): void {
    this.answers.length = 0;
    this.settle('cancelled');
  }

  abandon(): void {
    this.state = 'abandoned';
  }

  send(socket: MessageSocket): Sent {
    const answer = this.answers.shift();
    if (answer !== undefined) socket.sendText(Buffer.from(answer));
    if (this.answers.length > 0 || !this.isSettled) return 'more';
    this.state = 'sent';
    return answer === undefined ? 'nothing' : 'last';
  }
}

class Fixture implements SessionHost {
  nowMs = 0;
  readonly limits: SessionLimits;
  readonly socket = new FakeSocket();
  readonly tasks: FakeTask[] = [];
  readonly session: Session;
  received = 0;
  answered = 0;
  closed = 0;

  constructor(limits: Partial<SessionLimits> = {}, isOrdered = false) {
    this.limits = { maxInFlight: 1000, idleTimeoutMs: 0, pingIntervalMs: 0, ...limits };
    this.session = new Session(this, this.socket, {} as ModelChoice, isOrdered);
  }

  takeTask(): Task {
    const task = new FakeTask();
    this.tasks.push(task);
    return task;
  }

  onReceived(): void {
    this.received++;
  }

  onSent(): void {
    this.answered++;
  }

  onClosed(): void {
    this.closed++;
  }

  message(...texts: string[]): void {
    for (const text of texts) this.session.onMessage(Buffer.from(text), true);
  }

  task(id: string): FakeTask {
    return this.tasks.find(({ requestId }) => requestId === id)!;
  }

  /** Lets time pass, with checks each 10 ms. */
  pass(ms: number): void {
    for (const end = this.nowMs + ms; this.nowMs < end; ) {
      this.nowMs += 10;
      this.session.check(this.nowMs);
    }
  }
}

describe('answers', () => {
  test('leave when they are ready', () => {
    const fixture = new Fixture();
    fixture.message('a', 'b', 'c');
    for (const id of ['b', 'c', 'a']) fixture.task(id).settle('done');
    expect(fixture.socket.sent).toEqual(['b: done', 'c: done', 'a: done']);
    expect([fixture.received, fixture.answered, fixture.session.inFlight]).toEqual([3, 3, 0]);
  });

  test('leave in the order of the requests where that was asked for', () => {
    const fixture = new Fixture({}, true);
    fixture.message('a', 'b', 'c');
    for (const id of ['b', 'c']) fixture.task(id).settle('done');
    expect(fixture.socket.sent).toEqual([]);
    fixture.task('a').settle('failed');
    expect(fixture.socket.sent).toEqual(['a: failed', 'b: done', 'c: done']);
  });

  test.each([false, true])('wait while the client takes nothing, and nothing is read (ordered: %s)', (isOrdered) => {
    const fixture = new Fixture({}, isOrdered);
    const { socket } = fixture;
    socket.unsentLimit = 10;
    fixture.message('a', 'b', 'c');
    fixture.task('a').settle('done');
    socket.unsentBytes = 11;
    fixture.task('b').settle('done');
    fixture.task('c').settle('done');
    expect([socket.sent, socket.isPaused]).toEqual([['a: done'], true]);
    socket.unsentBytes = 10;
    fixture.session.onDrain();
    expect([socket.sent.length, socket.isPaused]).toEqual([3, false]);
  });

  test('come once for each request, whatever happens in whatever order', () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constantFrom('answer', 'settle', 'cancel'), nth: fc.nat(30) }),
      fc.record({ kind: fc.constantFrom('message', 'block', 'free'), nth: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 120 }), fc.boolean(), (actions, isOrdered) => {
        const fixture = new Fixture({ maxInFlight: 8 }, isOrdered);
        fixture.socket.unsentLimit = 0;
        const requests: FakeTask[] = [];
        for (const { kind, nth } of actions) {
          const task = requests[nth];
          if (kind === 'message' && !fixture.socket.isPaused) {
            fixture.message(`${requests.length}`);
            requests.push(fixture.tasks.at(-1)!);
          }
          if (kind === 'answer' && task !== undefined && !task.isSettled) task.answer('more');
          if (kind === 'settle' && task !== undefined && !task.isSettled) task.settle('done');
          if (kind === 'cancel') fixture.message(`-${nth}`);
          if (kind === 'block') fixture.socket.unsentBytes = 1;
          if (kind === 'free') {
            fixture.socket.unsentBytes = 0;
            fixture.session.onDrain();
          }
          expect(fixture.session.inFlight).toBeLessThanOrEqual(8);
        }
        fixture.socket.unsentBytes = 0;
        fixture.session.onDrain();
        for (const task of requests) if (!task.isSettled) task.settle('done');
        const last = fixture.socket.sent.filter((text) => !text.endsWith('more'));
        const ids = last.map((text) => Number(text.split(':')[0]));
        expect(isOrdered ? ids : ids.sort((a, b) => a - b)).toEqual(requests.map((_, nth) => nth));
        expect([fixture.session.inFlight, fixture.socket.isPaused]).toEqual([0, false]);
      }),
    );
  });
});

describe('several answers to one request', () => {
  test('leave as they come, and the request is in flight until the last', () => {
    const fixture = new Fixture();
    fixture.message('a', 'b');
    fixture.task('a').answer('1');
    fixture.task('b').settle('done');
    fixture.task('a').answer('2');
    expect([fixture.socket.sent, fixture.session.inFlight]).toEqual([['a: 1', 'b: done', 'a: 2'], 1]);
    fixture.task('a').settle('');
    expect([fixture.socket.sent.length, fixture.session.inFlight, fixture.answered]).toEqual([3, 0, 3]);
  });

  test('wait for those of the requests before them where that was asked for', () => {
    const fixture = new Fixture({}, true);
    fixture.message('a', 'b');
    fixture.task('b').answer('1');
    fixture.task('a').answer('1');
    fixture.task('b').settle('2');
    fixture.task('a').settle('2');
    expect(fixture.socket.sent).toEqual(['a: 1', 'a: 2', 'b: 1', 'b: 2']);
  });

  test('take turns with others when the client takes some', () => {
    const fixture = new Fixture();
    const { socket } = fixture;
    socket.unsentLimit = 0;
    socket.unsentBytes = 1;
    fixture.message('a', 'b');
    for (const id of ['a', 'b']) for (const answer of ['1', '2']) fixture.task(id).answer(answer);
    socket.unsentBytes = 0;
    fixture.session.onDrain();
    expect(socket.sent).toEqual(['a: 1', 'b: 1', 'a: 2', 'b: 2']);
  });

  test('that wait for too long cut the connection, unless they wait for other requests', () => {
    const fixture = new Fixture({}, true);
    const { socket } = fixture;
    socket.unsentLimit = 0;
    fixture.message('a', 'b');
    const [a, b] = [fixture.task('a'), fixture.task('b')];
    b.answer('1');
    expect(b.stalls(false)).toBe(false);
    socket.unsentBytes = 1;
    expect(b.stalls(false)).toBe(false);
    expect(socket.calls).toEqual([]);
    expect([a.stalls(false), b.stalls(true)]).toEqual([true, true]);
    expect(socket.calls).toEqual(['terminate', 'terminate']);
  });
});

describe('a cancel', () => {
  test('answers all with that id, and nothing else', () => {
    const fixture = new Fixture();
    fixture.message('a', 'b', 'a', '-a', '-a', '-c', '-');
    expect(fixture.socket.sent.sort()).toEqual(['a: cancelled', 'a: cancelled']);
    fixture.task('b').settle('done');
    expect(fixture.socket.sent.length).toBe(3);
  });

  test('reaches an answer that waits for its turn', () => {
    const fixture = new Fixture({}, true);
    fixture.message('a', 'b');
    fixture.task('b').settle('done');
    fixture.message('-b');
    fixture.task('a').settle('done');
    expect(fixture.socket.sent).toEqual(['a: done', 'b: cancelled']);
  });
});

describe('with as many requests as may be in flight', () => {
  test('nothing more is read', () => {
    const fixture = new Fixture({ maxInFlight: 2 });
    fixture.message('a', 'b');
    expect(fixture.socket.isPaused).toBe(true);
    fixture.task('a').settle('done');
    expect(fixture.socket.isPaused).toBe(false);
  });

  test('more are refused where reading cannot be stopped, and the connection ends when the refusals are not read', () => {
    const fixture = new Fixture({ maxInFlight: 2 }, true);
    const { socket } = fixture;
    socket.canPause = false;
    fixture.message('a', 'b', 'c', '-b', 'd');
    expect([socket.sent, socket.calls]).toEqual([[], []]);
    fixture.message('e');
    expect(socket.calls).toEqual(['close 1013 more than 2 requests in flight (--ws-max-in-flight)']);
    expect(fixture.task('e').state).toBe('abandoned');
    fixture.task('a').settle('done');
    const refused = 'RESOURCE_EXHAUSTED';
    expect(socket.sent).toEqual(['a: done', 'b: cancelled', `c: ${refused}`, `d: ${refused}`]);
  });
});

describe('when the connection ends', () => {
  test('all that is in flight is given up, and late answers go nowhere', () => {
    const fixture = new Fixture({}, true);
    fixture.message('a', 'b');
    fixture.task('b').settle('done');
    fixture.session.onClosed();
    expect(fixture.tasks.map(({ state }) => state)).toEqual(['abandoned', 'abandoned']);
    expect([fixture.closed, fixture.session.inFlight]).toEqual([1, 0]);
    fixture.message('c');
    expect(fixture.received).toBe(2);
  });
});

describe('when the server stops', () => {
  test('what is in flight is answered first', () => {
    const fixture = new Fixture();
    fixture.message('a');
    fixture.session.drain();
    expect(fixture.socket.calls).toEqual([]);
    fixture.task('a').settle('done');
    expect(fixture.socket.calls).toEqual(['close 1001 the server is stopping']);
    fixture.message('b');
    expect(fixture.received).toBe(1);
  });

  test('an idle connection is closed at once, and cut when the client does not agree', () => {
    const fixture = new Fixture();
    fixture.session.drain();
    fixture.pass(5000);
    expect(fixture.socket.calls).toEqual(['close 1001 the server is stopping']);
    fixture.pass(20);
    expect(fixture.socket.calls).toContain('terminate');
  });

  test('a client that still takes its answers has all the time it needs', () => {
    const fixture = new Fixture();
    fixture.socket.unsentBytes = 1000;
    fixture.session.drain();
    for (let nth = 0; nth < 10; nth++) {
      fixture.socket.unsentBytes -= 1;
      fixture.pass(4000);
    }
    expect(fixture.socket.calls).not.toContain('terminate');
    fixture.pass(6000);
    expect(fixture.socket.calls).toContain('terminate');
  });
});

describe('time', () => {
  test('without a message closes the connection, unless something is in flight', () => {
    const fixture = new Fixture({ idleTimeoutMs: 1000 });
    fixture.message('a');
    fixture.pass(5000);
    fixture.task('a').settle('done');
    fixture.pass(900);
    fixture.message('b');
    fixture.task('b').settle('done');
    fixture.session.onPing();
    fixture.pass(1000);
    expect(fixture.socket.calls).toEqual([]);
    fixture.pass(10);
    expect(fixture.socket.calls).toEqual(['close 1001 idle for too long']);
  });

  test('of silence has the client pinged, and cut when it does not stir', () => {
    const fixture = new Fixture({ pingIntervalMs: 1000 });
    fixture.pass(1000);
    expect(fixture.socket.calls).toEqual(['ping']);
    fixture.session.onPing();
    fixture.pass(990);
    fixture.message('-x');
    fixture.pass(1000);
    expect(fixture.socket.calls).toEqual(['ping', 'ping']);
    fixture.pass(990);
    expect(fixture.socket.calls).toEqual(['ping', 'ping']);
    fixture.pass(10);
    expect(fixture.socket.calls).toEqual(['ping', 'ping', 'terminate']);
  });

  test('of silence is not that of a client that we do not listen to', () => {
    const fixture = new Fixture({ pingIntervalMs: 1000, maxInFlight: 1 });
    fixture.message('a');
    fixture.pass(10_000);
    expect(fixture.socket.calls).toEqual([]);
  });

  test('of silence is none while the client takes its answers', () => {
    const fixture = new Fixture({ pingIntervalMs: 1000 });
    fixture.socket.unsentBytes = 1000;
    fixture.socket.unsentLimit = 10;
    fixture.pass(500);
    for (let nth = 0; nth < 10; nth++) {
      fixture.socket.unsentBytes -= 1;
      fixture.pass(900);
    }
    expect(fixture.socket.calls).toEqual([]);
    fixture.pass(2000);
    expect(fixture.socket.calls.slice(0, 2)).toEqual(['ping', 'terminate']);
  });
});
