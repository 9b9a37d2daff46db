import { once } from 'node:events';
import { MainProcess } from '../../../e2e/server.js';

export interface BenchEnd {
  readonly code: number | NodeJS.Signals;
  readonly stdout: string;
  /** Standard output and standard error, as they came. */
  readonly output: string;
}

/** The command as a process of its own, until it ends. */
export async function bench(args: readonly string[]): Promise<BenchEnd> {
  const main = new MainProcess(['bench', ...args]);
  const code = await main.exit;
  return { code, stdout: main.stdout, output: main.output };
}

/** The command, interrupted each time that `when` resolves. */
export async function interrupted(
  args: readonly string[],
  ...when: readonly (() => Promise<void>)[]
): Promise<BenchEnd> {
  const main = new MainProcess(['bench', ...args]);
  for (const moment of when) {
    await moment();
    main.child.kill('SIGINT');
  }
  if (!main.hasEnded) await once(main.child, 'close');
  return { code: await main.exit, stdout: main.stdout, output: main.output };
}
