import { beforeAll, describe, expect, test } from 'vitest';
import { RawClient } from '../protocols/http/raw-client.js';
import { RegionFile } from './region-file.js';
import { get, post } from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';
import { askV1, floats, SIMPLE, simpleBody, strings, v1Answer, v1Infer } from './v1.js';

const SUCCESS = 'code: SUCCESS server_id: "ours"';
const models = ['simple', 'labels', 'identity_bytes'];
/** Needs no input. */
const constant = `backend: "javascript" max_batch_size: 4
input [ { name: "X" data_type: TYPE_INT32 dims: [ 1 ] optional: true } ]
output [ { name: "Y" data_type: TYPE_INT32 dims: [ 1 ] } ]
`;
const files = {
  'constant/1/model.js': Buffer.from(
    "export const execute = (batch) => batch.each((request) => request.output('Y', [1, 1], Int32Array.of(7)));",
  ),
  'constant/config.pbtxt': Buffer.from(constant),
};
const ONE = 'batch_size: 1 input { name: "INPUT0" } output { name: "OUTPUT0" }';

/** What the sheet of 19.11 says of tensors that are not as they are said to be, and of answers that say no (1.2, 1.7, 1.10, 1.11, 1.13). */
onEachEngine((engine) => {
  let server: ServerProcess;

  beforeAll(async () => {
    server = await ServerProcess.start({ engine, models, files, flags: ['--id=ours', '--allow-client-shm=true'] });
    return () => server.stop();
  });

  const run = (path: string, header: string, body: Uint8Array) =>
    askV1(server.httpPort, v1Infer({ path, header, body }));

  test.each(['PUT', 'DELETE', 'PATCH'])('%s is 405 without a status', async (method) => {
    const client = await RawClient.open(server.httpPort);
    for (const path of ['/api/infer/simple', '/api/status', '/api/health/live', '/api/sharedmemorycontrol/status']) {
      const answer = await client.ask(`${method} ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
      expect(v1Answer(answer!)).toMatchObject({ code: 405, status: 'none', body: Buffer.alloc(0) });
    }
    client.destroy();
  });

  test('an id is told wherever it stands, also where the model is not there', async () => {
    for (const header of [`id: 9 ${SIMPLE}`, `${SIMPLE} flags: 0 id: 9`, `${SIMPLE} id: 0x9 # }`]) {
      const answer = await run('none', header, simpleBody(0));
      expect([answer.code, answer.header]).toEqual([400, 'id: 9']);
      expect(answer.status).toMatch(/^code: UNAVAILABLE msg: "Inference request for unknown model/);
    }
    expect(await run('none', 'no header', simpleBody(0))).toMatchObject({ code: 400, status: 'none' });
  });

  test('an id beyond 64 bits is no header, also behind what was read before', async () => {
    expect((await run('simple', SIMPLE, simpleBody(0))).code).toBe(200);
    const beyond = await run('simple', `${SIMPLE} id: 18446744073709551616`, simpleBody(0));
    expect(beyond).toMatchObject({ code: 400, status: 'none' });
    expect((await run('simple', `${SIMPLE} id: 010`, simpleBody(0))).header).toMatch(/ id: 8$/);
    expect((await run('simple', `${SIMPLE} # } id: 5`, simpleBody(0))).header).not.toContain('id:');
  });

  test.each([
    ['dims: 15', "unexpected dims of input 'INPUT0' for model 'simple': expected [16], got [15]"],
    ['dims: 1 dims: 16', "unexpected dims of input 'INPUT0' for model 'simple': expected [16], got [1,16]"],
    ['dims: -1', "unexpected dims of input 'INPUT0' for model 'simple': expected [16], got [-1]"],
  ])('%s: what was expected is told as V1 gives dims, without those of a batch', async (dims, text) => {
    const { status } = await run('simple', SIMPLE.replace('"INPUT0"', `"INPUT0" ${dims}`), simpleBody(0));
    expect(status).toBe(`code: INVALID_ARG msg: "${text.replaceAll("'", String.raw`\'`)}" server_id: "ours"`);
  });

  test('a batch has an input that it is made of', async () => {
    const asked = (batch: number) => run('constant', `batch_size: ${batch} output { name: "Y" }`, Buffer.alloc(0));
    expect((await asked(1)).header).toContain('batch_size: 1 output { name: "Y" raw { dims: 1 batch_byte_size: 4 } }');
    expect((await asked(2)).status).toContain("INVALID_ARG msg: \"batch-size 2 for \\'constant\\' needs an input");
  });

  test('what is listed twice is named', async () => {
    const twice = (one: string, other: string) => run('simple', SIMPLE.replace(one, other), simpleBody(0));
    expect((await twice('INPUT1', 'INPUT0')).status).toContain(String.raw`input \'INPUT0\' is listed twice`);
    expect((await twice('OUTPUT1', 'OUTPUT0')).status).toContain(String.raw`output \'OUTPUT0\' is listed twice`);
  });

  test('names are UTF-8, escaped or not', async () => {
    const { status } = await run('simple', SIMPLE.replace('INPUT1', 'ü'), simpleBody(0));
    expect(status).toContain(String.raw`unexpected inference input \'\303\274\'`);
  });

  test('text of a failure is shorter than a line of headers may be', async () => {
    const { status } = await run('simple', SIMPLE.replace('INPUT0', 'x'.repeat(6000)), simpleBody(0));
    expect(status).toMatch(
      /^code: INVALID_ARG msg: "unexpected inference input .'x{4000,4096}\.\.\." server_id: "ours"$/,
    );
  });

  test('text of a failure is one line of ASCII', async () => {
    const { status } = await run('simple', SIMPLE.replace('INPUT1', String.raw`\303\274\n`), simpleBody(0));
    expect(status).toContain(String.raw`unexpected inference input \'\303\274\n\' for model \'simple\'`);
  });

  describe('strings', () => {
    const asked = (body: Uint8Array, dims = 2) =>
      run('identity_bytes', ONE.replace('"INPUT0"', `"INPUT0" dims: ${dims} batch_byte_size: ${body.length}`), body);

    test.each<[string, Uint8Array]>([
      ['an element too many', strings('a', 'b', 'c')],
      ['an element too few', strings('a')],
      ['an element that is cut off', strings('a', 'bcd').subarray(0, -1)],
      ['a length that is cut off', strings('a', 'b').subarray(0, 7)],
      ['a length beyond the end', Buffer.concat([strings('a'), Buffer.from([0xff, 0xff, 0xff, 0xff])])],
    ])('%s is INVALID_ARG', async (_, body) => {
      expect((await asked(body)).status).toMatch(/^code: INVALID_ARG/);
    });

    test('without a batch_byte_size are INVALID_ARG: nothing else says how many bytes there are', async () => {
      const { status } = await run('identity_bytes', ONE.replace('"INPUT0"', '"INPUT0" dims: 2'), strings('a', 'b'));
      expect(status).toMatch(/^code: INVALID_ARG msg: "input .'INPUT0.' .* has 2 strings and no batch_byte_size/);
    });

    test('none at all', async () => {
      const answer = await asked(new Uint8Array(0), 0);
      expect(answer).toMatchObject({ code: 200, status: SUCCESS });
    });
  });

  test('classes: all there are at most, and none in shared memory', async () => {
    const region = 'shared_memory { name: "none" byte_size: 1 }';
    const answer = await run(
      'labels',
      ONE.replace('"OUTPUT0"', `"OUTPUT0" cls { count: 9 } ${region}`),
      floats(4, 1, 2, 3),
    );
    expect(answer).toMatchObject({ code: 200, status: SUCCESS });
    expect([...answer.header!.matchAll(/value: (\d)/g)].map(([, value]) => value)).toEqual(['4', '3', '2', '1']);
    const whole = SIMPLE.replace('"OUTPUT1"', '"OUTPUT1" cls { count: 1 }');
    expect((await run('simple', whole, simpleBody(0))).header).toContain('batch_classes { cls { idx: 15 value: 14 } }');
  });

  test('memory that cannot be registered', async () => {
    const file = new RegionFile(simpleBody(4));
    try {
      const control = (path: string) => askV1(server.httpPort, post(`/api/sharedmemorycontrol/${path}`, 'short'));
      expect((await control(`register/empty/${file.key}/0/0`)).status).toMatch(
        /^code: INVALID_ARG msg: ".*'empty.' must have 1 byte or more, got 0"/,
      );
      expect((await control('cudaregister/c/64/0')).status).toMatch(/must have 64 bytes, got 5"/);
      const client = await RawClient.open(server.httpPort);
      const head = 'POST /api/sharedmemorycontrol/cudaregister/c/64/0 HTTP/1.1\r\nHost: x';
      const answer = await client.ask(`${head}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`);
      expect(v1Answer(answer!).status).toMatch(/must have 64 bytes, got a body without Content-Length"/);
      client.destroy();
    } finally {
      file.remove();
    }
  });

  test('a place in shared memory that does not fit', async () => {
    const file = new RegionFile(simpleBody(4));
    try {
      const control = '/api/sharedmemorycontrol';
      await askV1(server.httpPort, post(`${control}/register/r/${file.key}/0/128`, ''));
      const placed = (input: string) => SIMPLE.replace('"INPUT0"', `"INPUT0" shared_memory { name: "r" ${input} }`);
      for (const place of [
        'byte_size: 60',
        'byte_size: 68',
        'offset: 65 byte_size: 64',
        'offset: 18446744073709551615 byte_size: 64',
      ])
        expect((await run('simple', placed(place), simpleBody(0).subarray(0, 64))).status).toMatch(
          /^code: INVALID_ARG/,
        );
      expect((await run('simple', placed('offset: 64 byte_size: 64'), simpleBody(0).subarray(0, 64))).code).toBe(200);
      await askV1(server.httpPort, post(`${control}/unregisterall`, ''));
      expect((await run('simple', placed('byte_size: 64'), simpleBody(0).subarray(0, 64))).status).toContain(
        String.raw`code: NOT_FOUND msg: "shared memory block \'r\' not found in manager"`,
      );
    } finally {
      file.remove();
    }
  });

  test('not ready is 400 with the status SUCCESS: it is an answer', async () => {
    const flags = ['--id=ours', '--exit-on-error=false'];
    const broken = await ServerProcess.start({ engine, models: ['simple', 'wrong_type'], flags });
    try {
      expect(await askV1(broken.httpPort, get('/api/health/live'))).toMatchObject({ code: 200, status: SUCCESS });
      const ready = await askV1(broken.httpPort, get('/api/health/ready'));
      expect(ready).toMatchObject({ code: 400, status: SUCCESS, body: Buffer.alloc(0) });
    } finally {
      await broken.stop();
    }
  });
});
