import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scrape } from './metrics.js';
import { hasPrometheus, PrometheusServer, promtool } from './prometheus.js';
import { ask, infer, simpleInputs } from './requests.js';
import { root, ServerProcess } from './server.js';
import { until } from './until.js';

const flags = [
  '--cache-config=local,size=1048576',
  '--metrics-config=summary_latencies=true',
  '--metrics-config=histogram_latencies=true',
  '--rate-limit=execution_count',
];

const more = `
response_cache { enable: true }
instance_group [ { rate_limiter { resources [ { name: "R" count: 1 } ] } } ]
`;

let server: ServerProcess;

beforeAll(async () => {
  server = await ServerProcess.start({
    models: ['simple', 'sequence_direct'],
    flags,
    edits: { simple: (config) => `${config}${more}` },
  });
  for (let i = 0; i < 3; i++) {
    expect((await ask(server.httpPort, infer('simple', simpleInputs(i)))).status).toBe(200);
  }
});

afterAll(() => server.stop());

describe.skipIf(!hasPrometheus)('Prometheus (both of its programs are needed)', () => {
  test('promtool reads the page, and finds fault with names of Triton only', async () => {
    const { status, output } = promtool(['check', 'metrics'], await scrape(server));
    expect(output).not.toMatch(/error/i);
    expect([0, 3]).toContain(status);
    const others = output.split('\n').filter((line) => line !== '' && !line.startsWith('nv_'));
    expect(others).toEqual([]);
  });

  test('promtool reads the alerts, which ask for metrics that the server has', async () => {
    const file = join(root, 'grafana/alerts.yml');
    const { status, output } = promtool(['check', 'rules', file]);
    expect([status, output]).toEqual([0, expect.stringContaining('6 rules found')]);
    expect(missingFrom(await scrape(server), [readFileSync(file, 'utf8')])).toEqual([]);
  });

  test('a real one scrapes the server and answers with its numbers', async () => {
    const prometheus = await PrometheusServer.start(server.metricsPort);
    try {
      const counted = 'nv_inference_request_success{model="simple",version="1"}';
      await until('the counter was scraped', async () => (await prometheus.values(counted)).length > 0);
      expect(await prometheus.values(counted)).toEqual([3]);
      expect(await prometheus.values('up')).toEqual([1]);
      expect(await prometheus.values('conch_request_duration_seconds_count{model="simple"}')).toEqual([3]);
      for (const { expr } of targets()) await prometheus.values(filledIn(expr));
    } finally {
      await prometheus.stop();
    }
  });
});

describe('the Grafana board', () => {
  test('asks for metrics that the server has', async () => {
    const text = await scrape(server);
    const expressions = targets().map(({ expr }) => expr);
    expect(missingFrom(text, expressions)).toEqual([]);
    expect(expressions.filter((expression) => !/\b(?:nv|conch)_/.test(expression))).toEqual([]);
  });

  test('uses the variables that it declares', () => {
    const { templating, panels } = board();
    const declared = templating.list.map(({ name }) => name);
    const used = new Set(
      JSON.stringify(panels)
        .match(/\$\{?[a-z]\w*/g)
        ?.map((text) => text.replace(/^\$\{?/, '')),
    );
    expect([...used].sort()).toEqual([...declared].sort());
  });
});

interface Target {
  readonly expr: string;
}

interface Board {
  readonly templating: { readonly list: readonly { readonly name: string }[] };
  readonly panels: readonly { readonly targets: readonly Target[] }[];
}

function board(): Board {
  return JSON.parse(readFileSync(join(root, 'grafana/conch.json'), 'utf8'));
}

function targets(): Target[] {
  return board().panels.flatMap((panel) => panel.targets);
}

/** The metrics that expressions ask for and a page has not. */
function missingFrom(page: string, expressions: readonly string[]): string[] {
  const asked = new Set(expressions.flatMap((expression) => expression.match(/\b(?:nv|conch)_\w+/g) ?? []));
  expect(asked.size).toBeGreaterThan(5);
  return [...asked].filter((name) => !new RegExp(`^${name}[{ ]`, 'm').test(page));
}

/** An expression as Grafana sends it. */
function filledIn(expression: string): string {
  return expression.replaceAll('$model', '.*').replaceAll('$__rate_interval', '1m');
}
