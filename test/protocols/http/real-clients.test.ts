import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { HttpExchange } from '../../../src/protocols/http/engine.js';
import { NetEngine } from '../../../src/protocols/http/net.js';
import { EchoSink, EngineFixture, plain, usualLimits } from './engine-fixture.js';

const run = promisify(execFile);

/** /usr/sbin is not in everybody's PATH. */
function find(program: string): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path)) ?? null;
}

const bodyOf = (length: number) => Buffer.alloc(length, 'abcdefghijklmnopqrstuvwxyz0123456789\r\n\0\xff', 'latin1');

let directory: string;
let fixture: EngineFixture;
let seen: Set<string>;

function serve(exchange: HttpExchange): void {
  seen.add(exchange.header('connection').toLowerCase());
  if (exchange.path === '/later') setImmediate(() => exchange.reply(200, plain, Buffer.from('later')));
  else exchange.readBody(new EchoSink());
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'conch-clients-'));
});

afterAll(() => rm(directory, { recursive: true }));

beforeEach(async () => {
  seen = new Set();
  fixture = await EngineFixture.start(new NetEngine(), serve, usualLimits);
});

afterEach(() => fixture.stop());

const urlOf = (path: string) => `http://127.0.0.1:${fixture.listener.port}${path}`;

function describeWith(program: string, tests: (path: string) => void): void {
  const path = find(program);
  if (path === null) test.skip(`${program} (it is not installed)`, () => {});
  else describe(program, () => tests(path));
}

describeWith('ab', (ab) => {
  for (const options of [[], ['-k']]) {
    test(`HTTP/1.0 ${options.join(' ')}: no request fails, connections are kept where asked`, async () => {
      const file = join(directory, 'ab-body');
      await writeFile(file, bodyOf(3000));
      for (const path of ['/echo', '/later']) {
        const args = [...options, '-n', '2000', '-c', '20', '-p', file, '-T', 'application/octet-stream', urlOf(path)];
        const { stdout } = await run(ab, args);
        expect(stdout).toMatch(/Failed requests: +0\n/);
        expect(stdout).toMatch(/Complete requests: +2000\n/);
        expect(stdout).not.toContain('Non-2xx');
        if (options.length > 0) expect(stdout).toMatch(/Keep-Alive requests: +2000\n/);
      }
    });
  }
});

describeWith('wrk', (wrk) => {
  test('no request fails', async () => {
    const { stdout } = await run(wrk, ['-t1', '-c32', '-d1s', urlOf('/later')]);
    expect(stdout).toMatch(/Requests\/sec: +[1-9]/);
    expect(stdout).not.toMatch(/Socket errors|Non-2xx/);
  });
});

describeWith('curl', (curl) => {
  const ways: Readonly<Record<string, readonly string[]>> = {
    'a body of 20 MB, with Expect': [],
    'a body of 20 MB, without Expect': ['-H', 'Expect:'],
    'a chunked body of 20 MB': ['-H', 'Transfer-Encoding: chunked'],
    'a body of 20 MB over HTTP/1.0': ['--http1.0'],
  };
  for (const [what, options] of Object.entries(ways)) {
    test(what, async () => {
      const body = bodyOf(20 * 1024 * 1024);
      const [sent, received] = [join(directory, 'sent'), join(directory, 'received')];
      await writeFile(sent, body);
      const { stdout } = await run(curl, [
        '-sS',
        ...options,
        '--data-binary',
        `@${sent}`,
        '-o',
        received,
        '-w',
        '%{http_code}',
        urlOf('/echo'),
      ]);
      expect(stdout).toBe('200');
      expect((await readFile(received)).equals(body)).toBe(true);
    });
  }
});

/** `/` is what a distribution's nginx does with nothing but `proxy_pass`: HTTP/1.0, a connection for each request. */
const nginxConf = (port: number, socket: string) => `
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {}
http {
  access_log off; client_max_body_size 0;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  upstream kept { server 127.0.0.1:${port}; keepalive 8; }
  server {
    listen unix:${socket};
    location / { proxy_pass http://127.0.0.1:${port}; }
    location /kept/ { proxy_pass http://kept/; proxy_http_version 1.1; proxy_set_header Connection ""; }
    location /streamed/ { proxy_pass http://kept/; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off; }
  }
}`;

describeWith('nginx', (nginx) => {
  let child: ChildProcess;
  let socketPath: string;
  let agent: Agent;

  beforeEach(async () => {
    socketPath = join(directory, 'nginx.sock');
    await rm(socketPath, { force: true });
    await writeFile(join(directory, 'nginx.conf'), nginxConf(fixture.listener.port, socketPath));
    child = spawn(nginx, ['-p', directory, '-c', join(directory, 'nginx.conf')], { stdio: 'ignore' });
    agent = new Agent({ keepAlive: true, maxSockets: 16 });
    while (!existsSync(socketPath)) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  afterEach(async () => {
    agent.destroy();
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill();
    await ended;
  });

  async function ask(path: string, body: Buffer, headers: Record<string, string> = {}): Promise<string> {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request({ socketPath, agent, method: 'POST', path, headers }, resolve).on('error', reject).end(body);
    });
    const hash = createHash('sha1');
    for await (const chunk of answer) hash.update(chunk as Buffer);
    return `${answer.statusCode} ${hash.digest('hex')}`;
  }

  for (const place of ['/', '/kept/', '/streamed/']) {
    test(`proxy_pass in ${place}: bodies of every size come back, many at a time`, async () => {
      const sizes = [0, 1, 1000, 20_000, 300_000, 5_000_000];
      const asked = Array.from({ length: 120 }, (_, index) => {
        const body = bodyOf(sizes[index % (index < 12 ? sizes.length : 4)]!);
        const headers: Record<string, string> = index % 2 === 0 ? { 'Transfer-Encoding': 'chunked' } : {};
        return ask(`${place}echo`, body, headers).then((answer) => [answer, body] as const);
      });
      for (const [answer, body] of await Promise.all(asked)) {
        expect(answer).toBe(`200 ${createHash('sha1').update(body).digest('hex')}`);
      }
      expect([...seen]).toEqual([place === '/' ? 'close' : '']);
    });
  }

  test('a client of the proxy that vanishes is a client that vanishes', async () => {
    const waiting = request({ socketPath, method: 'POST', path: '/echo', headers: { 'Content-Length': '10' } });
    waiting.on('error', () => {});
    waiting.write('abc');
    const answer = ask('/later', bodyOf(10));
    waiting.destroy();
    expect(await answer).toMatch(/^200 /);
    while (fixture.listener.connections > 0) await new Promise((resolve) => setImmediate(resolve));
    await fixture.listener.idle();
  });
});
