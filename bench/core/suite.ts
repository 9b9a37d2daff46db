import type { ServerProcess } from '../server/server-process.js';
import { type BenchOptions, Contest, readPlacements } from './contest.js';
import type { Comparison, Fact, SuiteResult, Target } from './report.js';
import { type Contender, runRounds } from './rounds.js';

/** One row of the question "how fast": run by `--only NAME`. */
export interface Suite {
  readonly name: string;
  run(options: BenchOptions): Promise<SuiteResult>;
}

/** What a suite that compares has set up: who takes turns, and what is made of it. */
export interface Match {
  readonly contenders: readonly Contender[];
  readonly comparisons: readonly Comparison[];
  /** Their batches are counted by where the rows lay; rows of more than 64 KiB have places of their own, so there is no target for them. */
  readonly servers: readonly ServerProcess[];
  readonly hasLargeRows: boolean;
  /** Figures of its own, asked for when the rounds are done; throws where something failed that no load has seen. */
  facts?(): Promise<Fact[]>;
}

const warmUpSeconds = 2;

/** A suite of rounds: sets up, lets everybody run once unmeasured, then takes turns. */
export function matchSuite(name: string, setUp: (contest: Contest) => Promise<Match>): Suite {
  return {
    name,
    async run(options) {
      const contest = await Contest.open(options);
      try {
        const match = await setUp(contest);
        const { contenders, comparisons, servers, hasLargeRows } = match;
        await runRounds(contenders, 1, Math.min(warmUpSeconds, options.seconds));
        const samples = await runRounds(contenders, options.rounds, options.seconds);
        const placements = await placementFacts(servers, hasLargeRows ? null : contiguousTarget);
        return { name, samples, comparisons, facts: [...((await match.facts?.()) ?? []), ...placements] };
      } finally {
        await contest.close();
      }
    },
  };
}

/** A suite of single figures. */
export function factSuite(name: string, measure: (contest: Contest) => Promise<Fact[]>): Suite {
  return {
    name,
    async run(options) {
      const contest = await Contest.open(options);
      try {
        return { name, samples: new Map(), comparisons: [], facts: await measure(contest) };
      } finally {
        await contest.close();
      }
    },
  };
}

const contiguousTarget = { is: 'at least', value: 95 } as const;

async function placementFacts(servers: readonly ServerProcess[], target: Target | null): Promise<Fact[]> {
  const facts: Fact[] = [];
  for (const server of servers) {
    const { contiguous, gathered } = await readPlacements(server);
    const batches = contiguous + gathered;
    if (batches === 0) throw new Error('the metrics page counts no batches in conch_batches_total');
    const label = `${server.name}: contiguous of ${batches} batches`;
    facts.push({ label, value: (100 * contiguous) / batches, unit: '%', target });
  }
  return facts;
}
