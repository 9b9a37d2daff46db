import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { opTable, structuralOps } from '../src/backends/tensorflow/ops/op-table.js';
import { parseModelConfig } from '../src/config/pbtxt.js';
import { type MessageSchema, modelConfigSchema } from '../src/config/schema.js';
import { answers, methods, Router } from '../src/protocols/routes.js';
import { httpStatus } from '../src/protocols/status.js';
import { modelMetrics } from '../src/telemetry/model-metrics.js';
import { planeMetrics } from '../src/telemetry/plane-metrics.js';
import { ProcessMetrics } from '../src/telemetry/process-metrics.js';
import { MachineMetrics, serverMetrics } from '../src/telemetry/server-metrics.js';

const root = fileURLToPath(new URL('../', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const pages = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
const documents = ['README.md', 'src/README.md', 'bench/README.md', ...pages.map((name) => `docs/${name}`)];

/** As GitHub makes them of headings. */
function anchors(text: string): string[] {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map((match) => match[1]!);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}

test.each(documents)('every link in %s leads somewhere', (document) => {
  const links = [...read(document).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)];
  const broken = links.filter(([, path, anchor]) => {
    const target = path === '' ? document : join(dirname(document), path!);
    if (!existsSync(join(root, target))) return true;
    return anchor !== undefined && !anchors(read(target)).includes(anchor);
  });
  expect(broken.map(([link]) => link)).toEqual([]);
});

test.each(documents)('code blocks of %s begin and end on lines of their own', (document) => {
  const fences = read(document).match(/^.*```.*$/gm) ?? [];
  expect(fences.filter((line) => !/^\s*```\w*$/.test(line))).toEqual([]);
  expect(fences.length % 2).toBe(0);
});

test('docs/endpoints.md has every route with its method, and no other', () => {
  const router = new Router();
  const rows = [...read('docs/endpoints.md').matchAll(/^\| `(GET|POST) (\/(?:v2|api)[^`]*)`/gm)];
  const endpoints = rows.flatMap(([, method, form]) => {
    const long = form!.replaceAll(/[[\]]/g, '');
    return [form!.replace(/\[.*\]/, ''), long].map((path) => {
      const route = router.match(path.replace('NAME', 'simple').replace('/N', '/1'));
      expect(route !== null && answers(route.endpoint, method!), `${method} ${path}`).toBe(true);
      return route!.endpoint;
    });
  });
  expect([...new Set(endpoints)].sort()).toEqual(Object.keys(methods).sort());
});

test('docs/tensorflow.md has every op, and no other', () => {
  const table = read('docs/tensorflow.md').split('## Ops')[1]!;
  const listed = [...table.matchAll(/`(\w+)`/g)].map((match) => match[1]!);
  expect(listed.sort()).toEqual([...opTable.keys(), ...structuralOps].sort());
});

test('docs/endpoints.md has every status that an error can have', () => {
  const statuses = [...read('docs/endpoints.md').matchAll(/^\| (\d{3}) \|/gm)].map((match) => Number(match[1]));
  expect(statuses).toEqual(expect.arrayContaining(Object.values(httpStatus)));
});

test('docs/metrics.md has every family with its type, and no other', () => {
  const machine = new MachineMetrics(1000, () => '');
  const process = new ProcessMetrics(1000);
  machine.stop();
  process.stop();
  const families = [
    ...modelMetrics(() => [], { latencyCounters: true }),
    planeMetrics(() => []),
    ...serverMetrics({ tensorBytesUsed: () => 0, tensorBytesTotal: 0, connections: () => 0 }),
    ...machine.families(),
    ...process.families(),
  ];
  const rows = [...read('docs/metrics.md').matchAll(/^\| `((?:nv|conch)_\w+)` \| (\w+) \|/gm)];
  const documented = rows.map(([, name, type]) => `${name} ${type}`);
  expect(documented.sort()).toEqual(families.map(({ name, type }) => `${name} ${type}`).sort());
});

/** The first cells of tables whose head is `field`. */
function documentedFields(): string[] {
  const tables = read('docs/configuration.md').matchAll(/^\| field \|.*\n\|[-| ]*\n((?:\|.*\n)+)/gm);
  const cells = [...tables].flatMap(([, rows]) => [...rows!.matchAll(/^\| ([^|]*) \|/gm)].map((match) => match[1]!));
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!));
}

test('every field in docs/configuration.md is one of the message, and every field of the message is there', () => {
  const schema = modelConfigSchema();
  const fields = documentedFields();
  const unknown = fields.filter((path) => {
    let message: MessageSchema | null = schema;
    return !path.split('.').every((name) => {
      const field = message?.fields.get(name);
      message = field?.message ?? null;
      return field !== undefined;
    });
  });
  expect(unknown).toEqual([]);
  const tops = new Set(fields.map((path) => path.split('.')[0]!));
  expect([...schema.fields.keys()].filter((name) => !tops.has(name))).toEqual([]);
});

test.each([
  ['docs/configuration.md', 6],
  ['docs/warmup.md', 1],
  ['docs/ragged-batching.md', 2],
])('the examples in %s can be read', (page, least) => {
  const examples = [...read(page).matchAll(/^```pbtxt\n(.*?)^```/gms)];
  expect(examples.length).toBeGreaterThanOrEqual(least);
  for (const [, text] of examples) expect(() => parseModelConfig(text!, 'config.pbtxt'), text).not.toThrow();
});

test('docs/check.md has every rule of conch check, and no other', () => {
  const folder = join(root, 'src/check');
  const sources = readdirSync(folder).map((name) => read(`src/check/${name}`));
  const named = sources.flatMap((text) => [
    ...[...text.matchAll(/\brule: '([a-z-]+)'/g)].map((match) => match[1]!),
    ...[...text.matchAll(/\b(?:ask|refusal)\(subject, '([a-z-]+)'/g)].map((match) => match[1]!),
  ]);
  const table = /### Rules\n(.*?)\n## /s.exec(read('docs/check.md'))![1]!;
  const rows = [...table.matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => match[1]!);
  expect(rows.sort()).toEqual([...new Set(named)].sort());
});
