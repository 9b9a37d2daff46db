import { rmSync, writeFileSync } from 'node:fs';
import { binaryRequest, type ModelMetadata, rowsOf } from '../core/bodies.js';
import type { LoadRequest } from '../core/wrk.js';
import type { ServerProcess } from '../server/server-process.js';
import { expectThat, type FeatureSide, plain } from './feature.js';

const headLength = 'Inference-Header-Content-Length';

/** The request with another JSON in front of its tensors. */
function withHead(request: LoadRequest, change: (head: Record<string, unknown>) => object): LoadRequest {
  const length = Number(request.headers[headLength]);
  const body = Buffer.from(request.body);
  const head = Buffer.from(JSON.stringify(change(JSON.parse(body.toString('utf8', 0, length)))));
  return {
    ...request,
    headers: { ...request.headers, [headLength]: String(head.length) },
    body: Buffer.concat([head, body.subarray(length)]),
  };
}

export function explainedRequest(model: ModelMetadata): LoadRequest {
  return withHead(binaryRequest(model), (head) => ({ ...head, parameters: { conch_explain: true } }));
}

export function withHeader(request: LoadRequest, name: string, value: string): LoadRequest {
  return { ...request, headers: { ...request.headers, [name]: value } };
}

/** A region of the machine that holds the input, and room for the output behind it. It goes with this process. */
export function sharedMemorySide(): FeatureSide {
  const key = `/conch-bench-${process.pid}`;
  let bytes = 0;
  return {
    ...plain,
    flags: ['--allow-client-shm=true'],
    request: (model) => {
      const [row] = rowsOf(model);
      bytes = row!.bytes.length;
      writeFileSync(`/dev/shm${key}`, Buffer.concat([row!.bytes, Buffer.alloc(bytes)]));
      process.once('exit', () => rmSync(`/dev/shm${key}`, { force: true }));
      const inRegion = (offset: number) => ({
        parameters: { shared_memory_region: 'r', shared_memory_byte_size: bytes, shared_memory_offset: offset },
      });
      const head = {
        inputs: [{ ...row!.head, ...inRegion(0) }],
        outputs: [{ name: model.outputs[0]!.name, ...inRegion(bytes) }],
      };
      const body = Buffer.from(JSON.stringify(head));
      return { path: `/v2/models/${model.name}/infer`, headers: { 'Content-Type': 'application/json' }, body };
    },
    prepare: async ({ httpPort }) => {
      const url = `http://127.0.0.1:${httpPort}/v2/systemsharedmemory/region/r/register`;
      const answer = await fetch(url, {
        method: 'POST',
        body: JSON.stringify({ key, offset: 0, byte_size: 2 * bytes }),
      });
      if (answer.status !== 200) throw new Error(`register: ${answer.status} ${await answer.text()}`);
    },
  };
}

/** The family is on the page of metrics with a value above 0. */
export async function hasMetric(server: ServerProcess, family: string): Promise<void> {
  const page = await (await fetch(`http://127.0.0.1:${server.metricsPort}/metrics`)).text();
  const line = page.split('\n').find((text) => text.startsWith(family));
  expectThat(line !== undefined && Number(line.slice(line.lastIndexOf(' '))) > 0, `${family} above 0, found ${line}`);
}
