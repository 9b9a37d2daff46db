import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ask, infer, outputsOf, post } from './requests.js';
import { root, ServerProcess } from './server.js';

const page = readFileSync(join(root, 'docs/javascript-models.md'), 'utf8');
const modules = [...page.matchAll(/^```js\n(.*?)^```/gms)]
  .map(([, text]) => text!)
  .filter((text) => text.includes('execute'));
const bodies = [...page.matchAll(/ -d '(.*?)'$/gm)].map(([, text]) => text!);

test('the examples of docs/javascript-models.md run, and answer what it says', async () => {
  const [upper, double, count, twice] = modules;
  const tensor = (name: string, type: string, dims: number) =>
    `[ { name: "${name}" data_type: ${type} dims: [ ${dims} ] } ]`;
  const doubles = `max_batch_size: 4 input ${tensor('X', 'TYPE_FP32', 4)} output ${tensor('Y', 'TYPE_FP32', 4)}`;
  const counts = `model_transaction_policy { decoupled: true } input ${tensor('COUNT', 'TYPE_INT32', 1)} output ${tensor('NTH', 'TYPE_INT32', 1)}`;
  const server = await ServerProcess.start({
    models: [],
    files: {
      'upper/1/model.js': Buffer.from(upper!),
      'double/1/model.js': Buffer.from(double!),
      'double/config.pbtxt': Buffer.from(doubles),
      'twice/1/model.js': Buffer.from(twice!),
      'twice/config.pbtxt': Buffer.from(doubles),
      'count/1/model.js': Buffer.from(count!),
      'count/config.pbtxt': Buffer.from(counts),
    },
  });
  const asked = await ask(server.httpPort, post('/v2/models/upper/infer', bodies[0]!));
  expect(page).toContain(`\`\`\`json\n${asked.body}\n\`\`\``);
  const numbers = { name: 'X', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] } as const;
  expect(outputsOf(await ask(server.httpPort, infer('double', [numbers])))).toEqual({ Y: [2, 4, 6, 8] });
  expect(outputsOf(await ask(server.httpPort, infer('twice', [numbers])))).toEqual({ Y: [3, 5, 7, 9] });
  const counted = await ask(server.httpPort, post('/v2/models/count/generate_stream', bodies[1]!));
  expect(page).toContain(`\`\`\`text\n${counted.body.toString().trim()}\n\`\`\``);
  await server.stop();
});
