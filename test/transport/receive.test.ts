import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { receive } from '../../src/transport/receive.js';

let server: Server;
const clients: Socket[] = [];

afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
  server.close();
});

async function serve(onConnection: (accepted: Socket) => void): Promise<void> {
  server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, onConnection);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
}

async function open(): Promise<Socket> {
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  clients.push(client);
  await once(client, 'connect');
  return client;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Answers with what came; `seen` has what each connection sent. */
function echoInto(buffer: Buffer, seen: string[], sockets: Socket[] = []): (accepted: Socket) => void {
  return (accepted) => {
    const index = seen.push('') - 1;
    const socket = receive(accepted, buffer, (bytes, end) => {
      seen[index] += bytes.toString('latin1', 0, end);
      socket.write(Buffer.from(bytes.subarray(0, end)));
    });
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
  };
}

test('this Node lets connections be read into a buffer of ours', async () => {
  const isOurs: boolean[] = [];
  await serve((accepted) => {
    const socket = receive(accepted, Buffer.alloc(16), () => {});
    isOurs.push(socket !== accepted);
    socket.destroy();
  });
  await once(await open(), 'close');
  expect(isOurs).toEqual([true]);
});

test('connections share one buffer, and each gets its own bytes, more than fit', async () => {
  const seen: string[] = [];
  await serve(echoInto(Buffer.alloc(10), seen));
  const texts = ['a', 'b', 'c'].map((letter) => letter.repeat(1000));
  const received = ['', '', ''];
  for (let index = 0; index < 3; index++) {
    const client = await open();
    client.on('data', (chunk) => {
      received[index] += String(chunk);
    });
    client.end(texts[index]!);
  }
  await Promise.all(clients.map((client) => once(client, 'close')));
  expect(received).toEqual(texts);
  expect(seen.toSorted()).toEqual(texts);
});

test('reading pauses and goes on, and the end is seen', async () => {
  const seen: string[] = [];
  const sockets: Socket[] = [];
  await serve(echoInto(Buffer.alloc(1024), seen, sockets));
  const client = await open();
  client.write('1');
  while (seen[0] !== '1') await turn();
  sockets[0]!.pause();
  client.end('2');
  for (let round = 0; round < 20; round++) await turn();
  expect(seen).toEqual(['1']);
  sockets[0]!.resume();
  client.resume();
  await once(client, 'close');
  expect(seen).toEqual(['12']);
});

test('a client that resets its connection closes it here', async () => {
  const sockets: Socket[] = [];
  await serve(echoInto(Buffer.alloc(1024), [], sockets));
  const client = await open();
  while (sockets.length === 0) await turn();
  const closed = new Promise((resolve) => sockets[0]!.once('close', resolve));
  client.resetAndDestroy();
  await closed;
});
