import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { tableMarkdown, tableText } from '../core/report.js';
import { packageRoot, positive } from '../core/runner.js';
import { costTable } from './cost-table.js';
import type { Feature } from './feature.js';
import { grpcFeatures } from './grpc-features.js';
import { httpFeatures } from './http-features.js';
import { type Measured, measure } from './measure.js';

const features: readonly Feature[] = [...httpFeatures, ...grpcFeatures];

const usage = `Usage: npm run bench:features -- [--pairs N] [--rounds 5] [--seconds 1] [--warm-up 1] [--only NAME]...
Names: ${features.map(({ name }) => name).join(', ')}. --only takes the beginning of a name too; without --pairs
traces have 8 pairs of servers and the others 4. bench/README.md says how to read the table.`;

interface Order {
  readonly chosen: readonly Feature[];
  /** Of servers; 0 = as many as each feature wants. */
  readonly pairs: number;
  /** With each pair. */
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

function readCommandLine(): Order {
  const options = {
    pairs: { type: 'string' as const },
    rounds: { type: 'string' as const, default: '5' },
    seconds: { type: 'string' as const, default: '1' },
    'warm-up': { type: 'string' as const, default: '1' },
    only: { type: 'string' as const, multiple: true as const, default: [''] },
  };
  const { values } = parseArgs({ options });
  const chosen = features.filter(({ name }) => values.only.some((start) => name.startsWith(start)));
  if (chosen.length === 0) throw new Error(`no feature is called ${values.only.join(', ')}`);
  const pairs = values.pairs === undefined ? 0 : positive('--pairs', values.pairs);
  if (pairs === 1) throw new Error('--pairs: an interval takes at least 2');
  return {
    chosen,
    pairs,
    rounds: positive('--rounds', values.rounds),
    seconds: positive('--seconds', values.seconds),
    warmUpSeconds: positive('--warm-up', values['warm-up']),
  };
}

function orderOrUsage(): Order {
  try {
    return readCommandLine();
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    process.exit(1);
  }
}

async function main({ chosen, pairs, rounds, seconds, warmUpSeconds }: Order): Promise<void> {
  if (!existsSync(join(packageRoot, 'dist/src/main.js'))) throw new Error('dist/src/main.js is missing: npm run build');
  const title = `${rounds} rounds of ${seconds} s with each pair after ${warmUpSeconds} s, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.versions.node}`;
  console.log(title);
  const results: Measured[] = [];
  for (const feature of chosen) {
    const options = { root: packageRoot, rounds, seconds, warmUpSeconds, engines: ['net' as const] };
    const result = await measure(feature, pairs || feature.pairs, options);
    results.push(result);
    console.log(`\n${feature.name}\n\n${tableText(costTable([result]))}`);
  }
  const directory = join(packageRoot, 'bench/out');
  await mkdir(directory, { recursive: true });
  const file = join(directory, 'features.md');
  await writeFile(file, `# ${title}\n\n${tableMarkdown(costTable(results))}\n`);
  console.log(`\nWritten to ${file}`);
}

await main(orderOrUsage());
