/**
 * Speaks as a language model does, and says the prompt again: a word in each answer, or all in one where `stream` is false. Parameters: at most
 * `max_tokens` words, none from the word `stop` on, an error instead of the word with the number `fail_at`.
 */

/** @import { Batch, ModelRequest } from '../../../../../workers/javascript/model-api.js' */

/** @param {Batch} batch */
export function execute(batch) {
  for (const request of batch.requests) complete(request).catch((error) => request.fail(error));
}

/** @param {ModelRequest} request */
async function complete(request) {
  const { words, reason } = completion(request);
  const streams = request.input('stream')?.data[0] !== 0;
  const texts = streams ? words : [words.join(' ')];
  const failAt = request.parameters.get('fail_at') ?? -1;
  for (const [index, text] of texts.entries()) {
    if (index === failAt) return request.fail(`out of words at ${index}`, 'UNAVAILABLE');
    const isFinal = index === texts.length - 1;
    const parameters = isFinal ? { index, finish_reason: reason } : { index };
    const isWanted = await request.respond({ outputs: output(text), parameters, isFinal });
    if (isFinal || !isWanted) return;
  }
  await request.end();
}

/** @param {ModelRequest} request */
function completion(request) {
  const words = request.input('text_input').strings()[0].split(' ').filter(Boolean);
  const stop = words.indexOf(request.parameters.get('stop'));
  const most = Math.min(stop < 0 ? words.length : stop, request.parameters.get('max_tokens') ?? words.length);
  return { words: words.slice(0, most), reason: most === words.length || most === stop ? 'stop' : 'length' };
}

/** @param {string} text */
const output = (text) => ({ text_output: { shape: [1], data: [text] } });
