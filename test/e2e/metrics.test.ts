import parseMetrics from 'parse-prometheus-text-format';
import { beforeAll, describe, expect, test } from 'vitest';
import { Crowd } from './crowd.js';
import { metric, scrape } from './metrics.js';
import { ask, askJson, get, infer, oneNumber, post, type Tensor } from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';

type Families = ReturnType<typeof parseMetrics>;

const patience = 'preferred_batch_size: [ 4 ] max_queue_delay_microseconds: 60000000';
const histograms = [
  'conch_request_duration_seconds',
  'conch_queue_duration_seconds',
  'conch_compute_duration_seconds',
  'conch_batch_rows',
];

onEachEngine((engine) => {
  let server: ServerProcess;
  let text: string;
  let families: Families;

  beforeAll(async () => {
    server = await ServerProcess.start({
      engine,
      models: ['delayed', 'identity_fp32', 'multi_version', 'fails_at_run'],
      edits: {
        delayed: (config) =>
          config.replace('max_queue_delay_microseconds: 200000', 'max_queue_delay_microseconds: 60000000'),
        identity_fp32: (config) => config.replace('dynamic_batching { }', `dynamic_batching { ${patience} }`),
      },
    });
    await load();
    text = await scrape(server);
    families = parseMetrics(text);
    return () => server.stop();
  });

  /** Three batches of four rows that lie one behind the other, two of four rows of variable size, a failure, a refusal. */
  async function load(): Promise<void> {
    const ranges = Array.from({ length: 4 }, (_, index) => infer('delayed', oneNumber(index)));
    for (let batch = 0; batch < 3; batch++) await (await Crowd.ask(server, ranges)).answers;
    const variable: Tensor[] = [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 2], data: [1, 2] }];
    const gathered = Array.from({ length: 4 }, () => infer('identity_fp32', variable));
    for (let batch = 0; batch < 2; batch++) await (await Crowd.ask(server, gathered)).answers;
    const index = { name: 'INPUT0', datatype: 'INT64', shape: [1, 1], data: [1_000_000] };
    expect(
      (await ask(server.httpPort, post('/v2/models/fails_at_run/infer', JSON.stringify({ inputs: [index] })))).status,
    ).toBe(500);
    expect((await ask(server.httpPort, post('/v2/models/fails_at_run/infer', '{}'))).status).toBe(400);
  }

  const of = (name: string, model: string) =>
    families.find((candidate) => candidate.name === name)!.metrics.filter(({ labels }) => labels?.model === model);

  /** The parser knows histograms without labels, so it is given the lines of one model version, without them. */
  function histogram(name: string, model: string, version = '1') {
    const lines = text.split('\n').filter((line) => line.startsWith('#') || isOf(line, model, version));
    const bare = lines.map((line) =>
      line
        .replace(/(model|version)="[^"]*",?/g, '')
        .replace(/,?}/, '}')
        .replace('{}', ''),
    );
    return parseMetrics(`${bare.join('\n')}\n`).find((candidate) => candidate.name === name)!.metrics[0]!;
  }

  describe('the exposition', () => {
    test('is announced as what it is, at /metrics of a port of its own', async () => {
      const answer = await ask(server.metricsPort, get('/metrics'));
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toMatch(/^text\/plain; ?(version=0\.0\.4; ?)?charset=utf-8/i);
      // As Triton answers there.
      const other = await ask(server.metricsPort, get('/other'));
      expect([other.status, other.body.length]).toEqual([200, 0]);
      expect((await ask(server.httpPort, get('/metrics'))).status).toBe(404);
    });

    test('is valid: each family once, with help and type, before its series, no series twice', () => {
      expect(text.endsWith('\n')).toBe(true);
      const lines = text.split('\n').slice(0, -1);
      const names = lines.flatMap((line) => /^# TYPE (\S+) (?:counter|gauge|histogram|summary)$/.exec(line)?.[1] ?? []);
      expect(new Set(names).size).toBe(names.length);
      expect(lines.filter((line) => line.startsWith('# HELP ')).length).toBe(names.length);
      const series = lines.filter((line) => !line.startsWith('#'));
      const sample = /^([a-zA-Z_:][\w:]*)(\{([a-zA-Z_]\w*="(\\.|[^"\\])*",?)*\})? (NaN|[+-]Inf|[-+.\deE]+)$/;
      expect(series.filter((line) => !sample.test(line))).toEqual([]);
      const keys = series.map((line) => line.slice(0, line.lastIndexOf(' ')));
      expect(new Set(keys).size).toBe(keys.length);
      let current = '';
      for (const line of lines) {
        const type = /^# TYPE (\S+)/.exec(line);
        if (type !== null) current = type[1]!;
        else if (!line.startsWith('#')) expect(line.startsWith(current), `${line} under ${current}`).toBe(true);
      }
    });

    test.each(histograms)('has the histogram %s per model and version, and it adds up', (name) => {
      const versions = [
        ['delayed', '1'],
        ['identity_fp32', '1'],
        ['multi_version', '2'],
        ['multi_version', '10'],
      ] as const;
      for (const [model, version] of versions) {
        const { buckets, count, sum } = histogram(name, model, version);
        const { '+Inf': all, ...bounded } = buckets!;
        const ascending = Object.entries(bounded).sort(([a], [b]) => Number(a) - Number(b));
        const counts = [...ascending.map(([, below]) => Number(below)), Number(all)];
        expect(counts.length).toBeGreaterThan(2);
        expect(counts).toEqual([...counts].sort((a, b) => a - b));
        expect(all).toBe(count);
        expect(Number(sum)).toBeGreaterThanOrEqual(0);
      }
    });
  });

  describe('the numbers', () => {
    test('tell batches that were contiguous from those that were gathered', async () => {
      const batches = (model: string, placement: string) => metric(server, 'conch_batches_total', { model, placement });
      expect([await batches('delayed', 'contiguous'), await batches('delayed', 'gathered')]).toEqual([3, 0]);
      expect([await batches('identity_fp32', 'contiguous'), await batches('identity_fp32', 'gathered')]).toEqual([
        0, 2,
      ]);
    });

    test('count requests, rows and executions as the statistics do', async () => {
      const { model_stats } = await askJson(server.httpPort, get('/v2/models/delayed/stats'));
      const { inference_count, execution_count, inference_stats } = model_stats[0];
      const value = (name: string) => metric(server, name, { model: 'delayed', version: '1' });
      expect([await value('nv_inference_count'), inference_count]).toEqual([12, 12]);
      expect([await value('nv_inference_exec_count'), execution_count]).toEqual([3, 3]);
      expect([await value('nv_inference_request_success'), inference_stats.success.count]).toEqual([12, 12]);
      expect(await value('nv_inference_pending_request_count')).toBe(0);
      for (const step of ['request', 'queue', 'compute_input', 'compute_infer', 'compute_output']) {
        expect(await value(`nv_inference_${step}_duration_us`), step).toBeGreaterThanOrEqual(0);
      }
    });

    test('count a failure of the model, and no request that was never accepted', async () => {
      const failures = of('nv_inference_request_failure', 'fails_at_run');
      const counts = Object.fromEntries(failures.map(({ labels, value }) => [labels!.reason, Number(value)]));
      expect(counts).toEqual({ BACKEND: 1, CANCELED: 0, OTHER: 0, REJECTED: 0 });
    });

    test('of histograms are those of the requests and of the executions', () => {
      expect(histograms.map((name) => histogram(name, 'delayed').count)).toEqual(['12', '12', '3', '3']);
      expect(histogram('conch_batch_rows', 'delayed').sum).toBe('12');
      expect(histogram('conch_request_duration_seconds', 'multi_version', '3').count).toBe('0');
    });

    test('show how late the main thread is, as a distribution', async () => {
      const { type, metrics } = parseMetrics(await scrape(server)).find(
        ({ name }) => name === 'conch_event_loop_delay_seconds',
      )!;
      expect([type, metrics.length]).toEqual(['HISTOGRAM', 1]);
      expect(await metric(server, 'conch_worker_restarts_total', { model: 'delayed' })).toBe(0);
    });

    test('show the memory of tensors and of the process', async () => {
      const total = await metric(server, 'conch_tensor_memory_total_bytes');
      expect(total).toBe(1024 ** 3);
      expect(await metric(server, 'conch_tensor_memory_used_bytes')).toBeLessThan(total);
      expect(await metric(server, 'conch_process_resident_memory_bytes')).toBeGreaterThan(10_000_000);
    });
  });

  test('a server may have no metrics', async () => {
    const bare = await ServerProcess.start({ engine, models: [], flags: ['--allow-metrics=false'] });
    expect(bare.metricsPort).toBe(0);
    expect((await ask(bare.httpPort, get('/v2/health/ready'))).status).toBe(200);
    await bare.stop();
  });
});

function isOf(line: string, model: string, version: string): boolean {
  return line.includes(`model="${model}"`) && line.includes(`version="${version}"`);
}
