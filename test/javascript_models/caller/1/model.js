/** Calls other models in the way that HOW says, and answers what they said. */

/** @import { Batch, CallAnswer, CallOptions, ModelContext, ModelRequest } from '../../../../workers/javascript/model-api.js' */

/** @type {ModelContext} */
let ctx;
/** @type {CallAnswer | undefined} */
let kept;

/** @param {ModelContext} context */
export function initialize(context) {
  ctx = context;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** @param {number} value */
const number = (value) => ({ name: 'INPUT0', datatype: /** @type {const} */ ('FP32'), shape: [1, 1], data: [value] });

/** @param {CallAnswer} answer */
const numbersOf = (answer, name = 'OUTPUT0') => [...answer.output(name).data].map(Number);

/** @param {string} model @param {number} value @param {Partial<CallOptions>} [more] */
const plus = async (model, value, more) => numbersOf(await ctx.infer({ model, inputs: [number(value)], ...more }))[0];

/** @param {number} count @param {string} how @param {Partial<CallOptions>} [more] @returns {CallOptions} */
const repeat = (count, how, more) => ({
  model: 'repeat',
  inputs: [
    { name: 'COUNT', datatype: 'INT32', shape: [1, 1], data: [count] },
    { name: 'HOW', datatype: 'BYTES', shape: [1, 1], data: [how] },
  ],
  ...more,
});

/** @param {CallOptions} call */
async function collect(call, most = Number.POSITIVE_INFINITY) {
  const numbers = [];
  for await (const answer of ctx.inferStream(call)) {
    if (numbers.push(...numbersOf(answer, 'NTH')) >= most) break;
  }
  return numbers;
}

/** @param {number} value @param {Partial<CallOptions>} more */
async function accumulate(value, more) {
  const inputs = [{ name: 'INPUT', datatype: /** @type {const} */ ('INT32'), shape: [1, 1], data: [value] }];
  const answer = await ctx.infer({ model: 'accumulator', inputs, sequenceId: 7n, ...more });
  return numbersOf(answer, 'TOTAL')[0];
}

/** @param {ModelRequest} request @returns {CallOptions} */
const identity = (request) => {
  const data = /** @type {Float32Array} */ (request.input('INPUT0')?.data);
  return { model: 'identity_fp32', inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, data.length], data }] };
};

/** @type {Record<string, (request: ModelRequest) => unknown>} */
const ways = {
  one: async () => [await plus('one', 1)],
  two: () => Promise.all([plus('one', 1), plus('ten', 1)]),
  borrowed: () => Promise.all([plus('one', 1, { borrow: true }), plus('ten', 1, { borrow: true })]),
  ensemble: async () => [await plus('eleven', 1)],
  versions: () => Promise.all([3, '2', 1].map((version) => plus('multi_version', 0, { version }))),
  texts: async () => {
    const data = ['a', Buffer.from('größe')];
    const answer = await ctx.infer({
      model: 'upper',
      inputs: [{ name: 'TEXT', datatype: 'BYTES', shape: [1, 2], data }],
    });
    const isRight = answer.output('UPPER').strings().join() === 'A,GRÖSSE';
    return [Number(isRight), ...answer.output('UPPER').shape];
  },
  head: async () => {
    const inputs = [
      { name: 'INPUT0', datatype: /** @type {const} */ ('INT32'), shape: [1, 1], data: Int32Array.of(5) },
    ];
    const parameters = { mood: 'calm', big: 2n ** 63n, half: 0.5 };
    const call = { model: 'head', inputs, outputs: ['HEAD'], parameters, id: 'x', priority: 0, timeoutUs: 9_000_000 };
    const answer = await ctx.infer(call);
    ctx.log.info(`head: ${answer.output('HEAD').strings()[0]}`);
    return [answer.outputNames.length];
  },
  sequence: async () => [
    await accumulate(1, { sequenceStart: true }),
    await accumulate(2, {}),
    await accumulate(4, { sequenceEnd: true }),
  ],
  stream: () => collect(repeat(50, 'plain')),
  streamBorrowed: () => collect(repeat(50, 'plain', { borrow: true })),
  streamOfOne: async () => {
    const answers = [];
    for await (const answer of ctx.inferStream({ model: 'one', inputs: [number(1)] })) answers.push(answer);
    return answers.flatMap((answer) => numbersOf(answer));
  },
  streamFails: () => collect(repeat(2, 'fails')),
  leave: () => collect(repeat(1, 'endless'), 3),
  drop: async (request) => {
    const answers = ctx.inferStream(repeat(30, 'plain', { request }));
    await answers.next();
    return [1];
  },
  same: async (request) => {
    const { shape, data } = (await ctx.infer(identity(request))).output('OUTPUT0');
    request.output('OUTPUT0', [Number(shape[1])], /** @type {Float32Array} */ (data));
  },
  sameBorrowed: async (request) => {
    const answer = await ctx.infer({ ...identity(request), borrow: true });
    return numbersOf(answer);
  },
  keep: async (request) => {
    kept = await ctx.infer(identity(request));
    return [1];
  },
  keepBorrowed: async (request) => {
    kept = await ctx.infer({ ...identity(request), borrow: true });
    return [1];
  },
  recall: () => (kept === undefined ? [] : numbersOf(kept)),
  unknown: () => plus('nobody', 1),
  version: () => plus('one', 1, { version: 9 }),
  shape: () => ctx.infer({ model: 'one', inputs: [{ ...number(1), shape: [1, 2], data: [1, 2] }] }),
  elements: () => ctx.infer({ model: 'one', inputs: [{ ...number(1), data: [1, 2] }] }),
  input: () => ctx.infer({ model: 'one', inputs: [{ ...number(1), name: 'INPUT1' }] }),
  output: () => plus('one', 1, { outputs: ['OUTPUT1'] }),
  noOutput: async () => numbersOf(await ctx.infer({ model: 'one', inputs: [number(1)] }), 'OUTPUT1'),
  decoupled: () => ctx.infer(repeat(1, 'plain')),
  failing: () =>
    ctx.infer({ model: 'flaky', inputs: [{ ...number(1), name: 'WISH', datatype: 'BYTES', data: ['fail'] }] }),
  caught: async () => {
    const { code, message } = await plus('nobody', 1).catch((error) => error);
    return [Number(code === 'NOT_FOUND' && message.includes("'nobody' is not found"))];
  },
  memory: () => {
    const data = new Float32Array(20_000_000);
    return ctx.infer({ model: 'identity_fp32', inputs: [{ ...number(1), shape: [1, data.length], data }] });
  },
  self: () =>
    ctx.infer({
      model: 'caller',
      inputs: [{ ...number(1), name: 'HOW', datatype: 'BYTES', shape: [1], data: ['one'] }],
    }),
  aborted: () => plus('one', 1, { signal: AbortSignal.abort() }),
  waits: async (request) => {
    const { code, message } = await collect(repeat(1, 'waits', { request })).catch((error) => error);
    ctx.log.info(`waits ended: ${code} ${message}`);
  },
  forgets: (request) => {
    const say = (/** @type {string} */ text) => ctx.log.info(`forgotten: ${text}`);
    void plus('one', 1).then((sum) => say(`${sum}`));
    void ctx.infer(identity(request)).catch(({ code, message }) => say(`${code} ${message}`));
    return [1];
  },
  dies: async (request) => {
    const calls = Array.from({ length: 8 }, () => ctx.infer({ ...identity(request), borrow: true }));
    const stream = ctx.inferStream(repeat(1, 'endless', { borrow: true }));
    await stream.next();
    await calls[0];
    for (let nth = 0; nth < 8; nth++) void ctx.infer(identity(request));
    await turn();
    process.exit(1);
  },
  traced: async (request) => {
    const refused = await plus('nobody', 1, { request }).catch(() => 0);
    const one = await plus('one', 1, { request, id: 'own' });
    const eleven = await plus('eleven', 1, { request });
    return [refused, one, eleven, await plus('ten', 1)].map(Number);
  },
  late: async () => {
    ctx.log.info('late begins');
    let sum = 0;
    for (let nth = 0; nth < 300; nth++) sum = (await plus('one', sum)) ?? 0;
    return [(await plus('ten', sum)) ?? 0];
  },
};

/** @param {Batch} batch */
export async function execute(batch) {
  await batch.each(async (request) => {
    const answered = await ways[request.input('HOW')?.strings()[0] ?? '']?.(request);
    if (Array.isArray(answered)) request.output('OUTPUT0', [answered.length], answered);
  });
}
