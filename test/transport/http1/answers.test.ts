import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { Answers } from '../../../src/transport/http1/answers.js';
import { FinalAnswer, type HeldAnswer, type Http1Exchange } from '../../../src/transport/http1/exchange.js';
import { CHUNKED, HeadWriter } from '../../../src/transport/http1/head-writer.js';
import { PartCursor } from '../../../src/transport/http1/part-cursor.js';
import { Slab } from '../../../src/transport/http1/slab.js';
import { StreamedBody } from '../../../src/transport/http1/streamed-body.js';
import { RecordingSink } from './recording-sink.js';

class Exchange implements Http1Exchange {
  held: HeldAnswer | null = null;
  readonly told: string[] = [];
  run(): void {}
  onBody(): void {}
  onRefused(): void {}
  onRoom(): void {
    this.told.push('room');
  }
  onSent(): void {
    this.told.push('sent');
  }
  onAborted(): void {
    this.told.push('aborted');
  }
}

const bytes = (text: string) => Buffer.from(text, 'latin1');
const bodyOf = (answer: string) => answer.slice(answer.indexOf('\r\n\r\n') + 4);

let sink: RecordingSink;
let heads: HeadWriter;
let answers: Answers;

function prepare(length: number): void {
  heads.prepare(200, [], length, 'implied');
}

function add(): Exchange {
  const exchange = new Exchange();
  answers.add(exchange);
  return exchange;
}

function reply(exchange: Exchange, text: string): void {
  prepare(text.length);
  answers.reply(exchange, bytes(text));
}

function send(exchange: Exchange, ...parts: Uint8Array[]): void {
  prepare(parts.reduce((sum, part) => sum + part.length, 0));
  answers.send(exchange, new PartCursor(parts));
}

/** An answer in pieces. */
function stream(exchange: Exchange): StreamedBody {
  const body = new StreamedBody('plain');
  heads.prepare(200, [], CHUNKED, 'implied');
  answers.send(exchange, body);
  return body;
}

function write(): void {
  while (sink.writableLength === 0 && answers.fill()) answers.writeTo(sink);
}

beforeEach(() => {
  sink = new RecordingSink();
  heads = new HeadWriter();
  heads.date = 'now';
  answers = new Answers(new Slab(), heads);
});

describe('the order of answers', () => {
  test('9112 9.3.2: answers leave in the order of the requests, whichever comes first', () => {
    const [first, second, third] = [add(), add(), add()];
    reply(third, '3');
    send(second, bytes('2'));
    write();
    expect(sink.writes).toEqual([]);
    reply(first, '1');
    write();
    expect(sink.received.split('HTTP/1.1 200 OK').slice(1).map(bodyOf)).toEqual(['1', '2', '3']);
    expect([first.told, second.told, third.told]).toEqual([['sent'], ['sent'], ['sent']]);
  });

  test('9110 15.2.1: 100 Continue waits for the answers before it', () => {
    const [first, second] = [add(), add()];
    answers.askForBody(second);
    write();
    expect(sink.received).toBe('');
    reply(first, '1');
    write();
    expect(sink.received.endsWith('1HTTP/1.1 100 Continue\r\n\r\n')).toBe(true);
    reply(second, '2');
    write();
    expect(sink.received.match(/100 Continue/g)?.length).toBe(1);
  });

  test('9110 15.2.1: 100 Continue is said to nobody who has not asked', () => {
    const [first, second, third] = [add(), add(), add()];
    answers.askForBody(third);
    reply(first, '1');
    write();
    expect(sink.received).not.toContain('100 Continue');
    reply(second, '2');
    write();
    expect(sink.received).toContain('2HTTP/1.1 100 Continue');
  });

  test('the answer to what is no request comes behind the others', () => {
    const first = add();
    answers.add(new FinalAnswer(bytes('refused')));
    write();
    expect(sink.received).toBe('');
    reply(first, '1');
    write();
    expect(bodyOf(sink.received)).toBe('1refused');
    expect(answers.open).toBe(0);
  });

  test('whoever is told may answer another request at once', () => {
    const [first, second] = [add(), add()];
    first.onSent = () => reply(second, '2');
    reply(first, '1');
    write();
    expect(sink.received.split('HTTP/1.1 200 OK').slice(1).map(bodyOf)).toEqual(['1', '2']);
  });

  test('random orders of small and large answers come out in order, to a sink that takes them or not', () => {
    const kinds = fc.array(
      fc.record({ size: fc.constantFrom(0, 1, 300, 70_000, 600_000), large: fc.boolean(), full: fc.boolean() }),
      {
        minLength: 1,
        maxLength: 12,
      },
    );
    fc.assert(
      fc.property(kinds, fc.infiniteStream(fc.nat()), (wanted, order) => {
        sink = new RecordingSink();
        answers = new Answers(new Slab(), heads);
        const open = wanted.map((kind, index) => ({
          ...kind,
          exchange: add(),
          text: String.fromCharCode(97 + index).repeat(kind.size),
        }));
        const expected = open.map(({ text }) => text).join('');
        const exchanges = open.map(({ exchange }) => exchange);
        while (open.length > 0) {
          const [{ exchange, text, large, full }] = open.splice(order.next().value % open.length, 1) as [
            (typeof open)[0],
          ];
          sink.isFull = full;
          if (large) send(exchange, bytes(text));
          else reply(exchange, text);
          write();
          if (full) sink.drain();
        }
        for (let round = 0; round < 40; round++) {
          write();
          sink.drain();
        }
        expect(
          sink.received.replace(/HTTP\/1.1 200 OK\r\nDate: now\r\nContent-Length: \d+\r\n\r\n/g, '') === expected,
        ).toBe(true);
        expect(exchanges.every(({ told }) => told.join() === 'sent')).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

describe('writing', () => {
  test('small answers that are ready together are one write', () => {
    for (const text of ['1', '2', '3']) reply(add(), text);
    write();
    expect(sink.writes.length).toBe(1);
  });

  test('a copied body may be changed at once, also where it waits or the sink is full', () => {
    sink.isFull = true;
    const scratch = bytes('abc');
    const [first, second] = [add(), add()];
    for (const exchange of [second, first]) {
      prepare(3);
      answers.reply(exchange, scratch);
      scratch.fill('x');
      scratch.write('abc');
    }
    write();
    scratch.fill('x');
    reply(add(), 'def');
    sink.drain();
    write();
    sink.drain();
    expect(sink.received.match(/abc|def|xxx/g)).toEqual(['abc', 'abc', 'def']);
  });

  test('a large answer is handed on in slices, as views, and told when the last of them is taken', () => {
    const exchange = add();
    sink.isFull = true;
    send(exchange, new Uint8Array(0), new Uint8Array(300_000), new Uint8Array(300_000), new Uint8Array(0));
    let writes = 0;
    for (; exchange.told.length === 0; writes++) {
      write();
      expect(sink.writableLength).toBeLessThanOrEqual(257 * 1024);
      expect(exchange.told).toEqual([]);
      sink.drain();
      answers.fill();
    }
    expect([writes, bodyOf(sink.received).length]).toEqual([3, 600_000]);
  });

  test('an answer in parts without a byte is complete at once', () => {
    const exchange = add();
    send(exchange, new Uint8Array(0));
    expect(exchange.told).toEqual(['sent']);
    write();
    expect(sink.received).toContain('Content-Length: 0\r\n\r\n');
  });

  test('many answers do not grow the memory: what was taken is used again', () => {
    const slab = new Slab();
    answers = new Answers(slab, heads);
    const { block } = slab;
    for (let index = 0; index < 10_000; index++) {
      reply(add(), 'x'.repeat(500));
      write();
    }
    expect(slab.block).toBe(block);
  });
});

describe('an answer in pieces', () => {
  test('leaves piece by piece, and is told of room whenever all is taken, until its end is known', () => {
    const [first, second] = [add(), add()];
    const body = stream(first);
    reply(second, '2');
    body.write(bytes('a'));
    write();
    expect(bodyOf(sink.received)).toBe('a');
    const roomsBefore = first.told.length;
    body.write(bytes('b'));
    write();
    expect(bodyOf(sink.received)).toBe('ab');
    expect(first.told.length).toBeGreaterThan(roomsBefore);
    body.end();
    write();
    expect(sink.received.split('HTTP/1.1 200 OK').slice(1).map(bodyOf)).toEqual(['ab', '2']);
    expect([new Set(first.told), first.told.at(-1), second.told]).toEqual([
      new Set(['room', 'sent']),
      'sent',
      ['sent'],
    ]);
  });

  test('is not told of room while the sink is full, nor before its turn', () => {
    const [first, second] = [add(), add()];
    stream(second).write(bytes('2'));
    sink.isFull = true;
    const body = stream(first);
    body.write(bytes('1'));
    write();
    write();
    expect([first.told, second.told]).toEqual([[], []]);
    sink.drain();
    write();
    expect([first.told, second.told]).toEqual([['room'], []]);
  });

  test('may end when it is told of room', () => {
    const exchange = add();
    const body = stream(exchange);
    exchange.onRoom = () => body.end();
    body.write(bytes('a'));
    write();
    expect([exchange.told, answers.open]).toEqual([['sent'], 0]);
  });

  test('is given up with a client that half-closes, unless its end is known', () => {
    for (const isWhole of [false, true]) {
      const exchange = add();
      const body = stream(exchange);
      body.write(bytes('a'));
      sink.isFull = true;
      write();
      if (isWhole) body.end();
      answers.abort(true);
      sink.drain();
      sink.isFull = false;
      write();
      expect(exchange.told.at(-1)).toBe(isWhole ? 'sent' : 'aborted');
    }
  });
});

describe('connections that share a slab', () => {
  /** `steps` are a letter and `+` (an answer is given), `w` (written), `W` (written and taken at once) or `d` (the sink takes what it has). */
  function play(steps: string): Record<string, string> {
    const slab = new Slab();
    const connections = new Map<string, { answers: Answers; sink: RecordingSink; count: number }>();
    for (const [letter, step] of steps.split(' ').map((text) => [text[0]!, text[1]!] as const)) {
      const known = connections.get(letter);
      const connection = known ?? { answers: new Answers(slab, heads), sink: new RecordingSink(), count: 0 };
      connections.set(letter, connection);
      connection.sink.isFull = step !== 'W';
      if (step === '+') {
        ({ answers } = connection);
        reply(add(), `${letter}${++connection.count}`);
      } else if (step !== 'd') {
        ({ answers, sink } = connection);
        write();
      } else {
        connection.sink.drain();
      }
    }
    const bodies = [...connections].map(
      ([
        letter,
        {
          sink: { received },
        },
      ]) => [letter, received.match(/[a-z]\d/g)?.join('') ?? ''],
    );
    return Object.fromEntries(bodies);
  }

  test('do not write over what another has not written yet', () => {
    expect(play('a+ b+ aW c+ c+ bW cW')).toEqual({ a: 'a1', b: 'b1', c: 'c1c2' });
  });

  test('do not write over what the socket of another has not taken yet', () => {
    expect(play('a+ aw b+ bw ad bd')).toEqual({ a: 'a1', b: 'b1' });
  });

  test('write their own answers where they took turns', () => {
    expect(play('a+ b+ a+ b+ aw bw ad bd')).toEqual({ a: 'a1a2', b: 'b1b2' });
  });
});

describe('a client that is gone', () => {
  test('everybody is told once, and a later answer goes nowhere', () => {
    const [first, second, third] = [add(), add(), add()];
    send(first, new Uint8Array(10));
    reply(third, '3');
    answers.abort(false);
    expect([first.told, second.told, third.told]).toEqual([['aborted'], ['aborted'], ['aborted']]);
    expect(answers.open).toBe(0);
  });

  test('an answer that is under way may be kept', () => {
    const [first, second] = [add(), add()];
    sink.isFull = true;
    send(first, new Uint8Array(600_000));
    write();
    answers.abort(true);
    expect([first.told, second.told]).toEqual([[], ['aborted']]);
    for (let round = 0; round < 4; round++) {
      sink.drain();
      write();
    }
    expect([first.told, bodyOf(sink.received).length]).toEqual([['sent'], 600_000]);
  });
});
