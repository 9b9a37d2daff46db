import parseMetrics from 'parse-prometheus-text-format';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MetricsFold } from '../../../../bench/load/target/metrics-fold.js';
import { parseMetricsPage } from '../../../../bench/load/target/metrics-page.js';
import { MetricsSampler, parseMetricsUrl } from '../../../../bench/load/target/metrics-sampler.js';
import { ask, get } from '../../../e2e/requests.js';
import { ServerProcess } from '../../../e2e/server.js';
import { ScriptedServer } from './scripted-server.js';

const PAGE = `# HELP busy How busy it is
# TYPE busy gauge
busy{gpu="a\\"b\\\\",text="} {"} 0.25
busy{gpu="c"} NaN
# TYPE done_total counter
done_total 7 1700000000000
# TYPE asked counter
asked_total{model="m"} 3e2 # {trace="x"} 1

# TYPE took histogram
took_bucket{le="1"} 1
took_bucket{le="+Inf"} 2
took_sum 3
took_count 2
# TYPE quantiles summary
quantiles{quantile="0.5"} 1
quantiles_sum 1
bare -1.5
`;

describe('a page', () => {
  test('gauges and counters are read, with labels of any text', () => {
    expect(parseMetricsPage(PAGE)).toEqual([
      { series: 'busy{gpu="a\\"b\\\\",text="} {"}', type: 'gauge', value: 0.25 },
      { series: 'done_total', type: 'counter', value: 7 },
      { series: 'asked_total{model="m"}', type: 'counter', value: 300 },
      { series: 'bare', type: 'gauge', value: -1.5 },
    ]);
  });

  test('what is no metric is quoted', () => {
    expect(() => parseMetricsPage('a 1\n<html>')).toThrow("this is no line of a page of metrics: '<html>'");
  });

  test('a real page reads as it does for a parser of others', async () => {
    const server = await ServerProcess.start({ models: ['simple'] });
    const { body } = await ask(server.metricsPort, get('/metrics'));
    await server.stop();
    const expected = parseMetrics(body.toString())
      .filter(({ type }) => type === 'GAUGE' || type === 'COUNTER')
      .flatMap(({ name, metrics }) => metrics.map((metric) => [name, Number((metric as { value: string }).value)]));
    const found = parseMetricsPage(body.toString()).map(({ series, value }) => [series.replace(/\{.*/, ''), value]);
    expect(found.length).toBeGreaterThan(20);
    expect(found.sort()).toEqual(expected.filter(([, value]) => Number.isFinite(value)).sort());
  });
});

describe('means', () => {
  const gauge = (value: number) => [{ series: 'g', type: 'gauge', value }] as const;
  const counter = (value: number) => [{ series: 'c', type: 'counter', value }] as const;

  test('gauges have a mean and a greatest value, of each window anew', () => {
    const fold = new MetricsFold();
    for (const value of [1, 5, 3]) fold.add(gauge(value), value);
    expect(fold.take()).toEqual({ g: { mean: 3, max: 5 } });
    fold.add(gauge(2), 9);
    expect(fold.take()).toEqual({ g: { mean: 2, max: 2 } });
    expect(fold.take()).toEqual({});
  });

  test('counters have rates, over windows too', () => {
    const fold = new MetricsFold();
    fold.add(counter(10), 0);
    fold.add(counter(20), 1000);
    fold.add(counter(50), 2000);
    expect(fold.take()).toEqual({ 'rate(c)': { mean: 20, max: 30 } });
    fold.add(counter(51), 2500);
    expect(fold.take()).toEqual({ 'rate(c)': { mean: 2, max: 2 } });
  });

  test('a counter that begins anew, or stands still, says nothing', () => {
    const fold = new MetricsFold();
    fold.add(counter(10), 0);
    fold.add(counter(2), 1000);
    fold.add(counter(2), 2000);
    expect(fold.take()).toEqual({});
  });
});

test.each([
  ['', 'gpu-7', 'http://gpu-7:8002', '/metrics'],
  ['', '::1', 'http://[::1]:8002', '/metrics'],
  ['gpu-8:9/prom', 'gpu-7', 'http://gpu-8:9', '/prom'],
  ['gpu-8', 'gpu-7', 'http://gpu-8:8002', '/metrics'],
  ['http://gpu-8/prom', 'gpu-7', 'http://gpu-8:8002', '/prom'],
  ['https://gpu-8/', 'gpu-7', 'https://gpu-8:443', '/metrics'],
])('the URL %j of metrics of a server on %s', (text, host, url, path) => {
  const place = parseMetricsUrl(text, host);
  expect([place.url.text, place.path]).toEqual([url, path]);
});

describe('the sampler', () => {
  let server: ScriptedServer;
  let sampler: MetricsSampler;

  beforeEach(async () => {
    server = await ScriptedServer.start({ '/metrics': { body: '# TYPE g gauge\ng 4\n' } });
    sampler = new MetricsSampler(parseMetricsUrl(`127.0.0.1:${server.port}`, ''), [], 5);
  });

  afterEach(async () => {
    sampler.close();
    await server.stop();
  });

  test('reads again and again, and tells means of each window', async () => {
    await sampler.start();
    await server.wasAsked(3);
    server.script = { '/metrics': { body: '# TYPE g gauge\ng 8\n' } };
    const first = await sampler.take();
    expect(first.g!.max).toBe(8);
    expect(first.g!.mean).toBeGreaterThan(4);
    expect(first.g!.mean).toBeLessThan(8);
    expect(await sampler.take()).toEqual({ g: { mean: 8, max: 8 } });
    expect(sampler.close()).toEqual([]);
  });

  test('a page that is not there is an error at the start', async () => {
    server.script = {};
    await expect(sampler.start()).rejects.toThrow(
      /^asked http:\/\/127\.0\.0\.1:\d+\/metrics for metrics, got HTTP 404\. --metrics-url says where/,
    );
    await server.stop();
    await expect(sampler.start()).rejects.toThrow(/^cannot ask http:\/\/127\.0\.0\.1:\d+ for metrics.*ECONNREFUSED/);
  });

  test('a page that goes away is a note at the end', async () => {
    await sampler.start();
    await server.wasAsked(2);
    server.script = {};
    const asked = server.asked.length;
    await server.wasAsked(asked + 2);
    expect(await sampler.take()).toEqual({ g: { mean: 4, max: 4 } });
    expect(sampler.close()).toEqual([
      expect.stringMatching(/^\d+ of \d+ reads of metrics failed, at last: asked http.* HTTP 404/),
    ]);
  });
});
