import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RawClient } from '../protocols/http/raw-client.js';
import { memoryUsed } from './metrics.js';
import { ask, askJson, bytesOf, infer, outputsOf, post, simpleInputs, simpleOutputs, type Tensor } from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';
import { until } from './until.js';

/** Beyond the sizes from which JSON is read and written in another thread. */
const COUNT = 300_000;
const numbers = Array.from({ length: COUNT }, (_, index) => index / 4);
const texts = Array.from({ length: COUNT / 5 }, (_, index) => `text ${index} äöü`);

const floats: Tensor[] = [{ name: 'INPUT0', datatype: 'FP32', shape: [1, COUNT], data: numbers }];
const strings: Tensor[] = [{ name: 'INPUT0', datatype: 'BYTES', shape: [1, texts.length], data: texts }];

onEachEngine((engine) => {
  describe('large JSON', () => {
    let server: ServerProcess;

    beforeAll(async () => {
      server = await ServerProcess.start({ engine, models: ['simple', 'identity_fp32', 'identity_bytes'] });
    });

    afterAll(() => server.stop());

    test('comes back as it was, numbers and texts, as often as asked', async () => {
      for (let round = 0; round < 3; round++) {
        expect(outputsOf(await ask(server.httpPort, infer('identity_fp32', floats)))).toEqual({ OUTPUT0: numbers });
        expect(outputsOf(await ask(server.httpPort, infer('identity_bytes', strings)))).toEqual({ OUTPUT0: texts });
      }
    });

    test('comes back from generate and generate_stream as it was, is refused by name, and leaves nothing behind', async () => {
      const askFor = (model: string, endpoint: string, body: string) =>
        ask(server.httpPort, post(`/v2/models/${model}/${endpoint}`, body));
      const given: [model: string, values: unknown][] = [
        ['identity_fp32', numbers],
        ['identity_bytes', texts],
      ];
      const idle = await memoryUsed(server);
      for (const [model, values] of given) {
        const body = JSON.stringify({ INPUT0: values, id: 'large' });
        const whole = await askFor(model, 'generate', body);
        const expected = { OUTPUT0: values, id: 'large', model_name: model, model_version: '1' };
        expect(JSON.parse(whole.body.toString())).toEqual(expected);
        const event = (await askFor(model, 'generate_stream', body)).body.toString();
        expect(JSON.parse(event.slice('data: '.length))).toEqual(expected);
        const wrong = await askFor(model, 'generate_stream', body.replace('[', '[{},'));
        expect([wrong.status, JSON.parse(wrong.body.toString()).error]).toEqual([
          400,
          expect.stringMatching(/'INPUT0'/),
        ]);
        const client = await RawClient.open(server.httpPort);
        await client.write(bytesOf(post(`/v2/models/${model}/generate_stream`, body)));
        client.destroy();
      }
      const cut = await askFor('identity_fp32', 'generate', JSON.stringify({ INPUT0: numbers }).slice(0, -1));
      expect([cut.status, cut.body.toString()]).toEqual([400, expect.stringContaining('Missing a comma or }')]);
      await until('its memory is given back', async () => (await memoryUsed(server)) <= idle);
    });

    test('is refused by name, and gives its memory back', async () => {
      const idle = await memoryUsed(server);
      const body = infer('identity_fp32', floats).body.toString();
      const path = '/v2/models/identity_fp32/infer';
      const refusals: [string, RegExp][] = [
        [body.replace('74999.75]', '"x"]'), /non-number as double for input 'INPUT0'/],
        [body.replace(`[1,${COUNT}]`, `[1,${COUNT + 1}]`), /Shape does not match true shape of 'data' field/],
        [body.slice(0, -2), /failed to parse the request JSON buffer/],
        [body.replace('FP32', 'INT8'), /data-type is 'INT8', but model 'identity_fp32' expects 'FP32'/],
      ];
      for (const [wrong, reason] of refusals) {
        const answer = await askJson(server.httpPort, post(path, wrong));
        expect(answer.error).toMatch(reason);
      }
      expect(await memoryUsed(server)).toBe(idle);
    });

    test('whose client vanishes leaves nothing behind, and others are served', async () => {
      // The model keeps the rows of its first request for the next ones.
      await ask(server.httpPort, infer('simple', simpleInputs(1)));
      const idle = await memoryUsed(server);
      for (let round = 0; round < 5; round++) {
        const client = await RawClient.open(server.httpPort);
        await client.write(bytesOf(infer('identity_fp32', floats)));
        client.destroy();
        const answer = await ask(server.httpPort, infer('simple', simpleInputs(round)));
        expect(outputsOf(answer)).toMatchObject(simpleOutputs(round));
      }
      await until('the memory is back', async () => (await memoryUsed(server)) === idle);
    });
  });
});
