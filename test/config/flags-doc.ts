import type { Flag } from '../../src/config/flag.js';

/** The text of `docs/flags.md`. `npx vitest run test/config/flags-doc.test.ts -u` writes it. */
export function flagsDocument(flags: readonly Flag[]): string {
  const groups = [...new Set(flags.map((flag) => flag.group))];
  return [head, ...groups.map((group) => section(group, flags))].join('\n');
}

const head = `# Flags

\`conch [serve] [FLAGS] [DIR...]\`: each DIR is a model repository, as with \`--model-repository DIR\`.

Flags are written \`--name=value\` or \`--name value\`; the beginning of a name is enough where no other flag begins so. Booleans are
\`true\`, \`on\`, \`1\` or \`false\`, \`off\`, \`0\`, in any case. Of a flag given twice the last one counts, unless it is *repeatable*. A wrong
command line is explained on standard error and ends with exit code 1.

The names are those of Triton. A flag without effect is accepted and checked, and the log says once that it changes nothing. The address is
127.0.0.1 unless \`--http-address\` opens it up. (Made from the table in \`src/config\`; a test keeps the two equal.)
`;

function section(group: string, flags: readonly Flag[]): string {
  const rows = flags.filter((flag) => flag.group === group).map(row);
  return [
    `## ${group}`,
    '',
    '| flag | default | values | effect | meaning |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

function row(flag: Flag): string {
  const names = [flag.name, ...flag.aliases].map((name) => `\`--${name}\``).join(', ');
  const value = flag.type === 'bare' || flag.defaultValue === '' ? '' : `${flag.defaultValue}`;
  const marks = [...(flag.repeatable ? ['*repeatable*'] : []), ...(flag.deprecated ? ['*deprecated*'] : [])];
  const cells = [names, value, values(flag), effect(flag), [flag.help, ...marks].join(' ')];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function values(flag: Flag): string {
  if (flag.type === 'bare') return 'none';
  if (flag.range === null) return `\`${flag.placeholder}\``;
  const { min, max, unit } = flag.range;
  return `${min} to ${max}${unit === '' ? '' : ` ${unit}`}`;
}

function effect(flag: Flag): string {
  if (flag.effect.kind === 'works') return 'works';
  return `${flag.effect.kind === 'later' ? 'not yet' : 'none'}: ${flag.effect.reason}`;
}
