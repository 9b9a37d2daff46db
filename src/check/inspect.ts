import { readFile } from 'node:fs/promises';
import { findModule } from '../backends/javascript.js';
import { findModelFile } from '../backends/model-file.js';
import { readOnnxSignature } from '../backends/onnx-file.js';
import { openInitializers } from '../backends/onnx-open.js';
import { modelPath } from '../backends/onnxruntime.js';
import type { ConfigSource } from '../config/config-source.js';
import type { ModelConfig } from '../config/model-config.js';
import { isEnsemble, normalizeConfig } from '../config/normalize.js';
import { parseWithSource } from '../config/pbtxt.js';
import type { ModelEntry } from '../repository/scan.js';
import { wantedVersions } from '../repository/version-policy.js';
import { asServerError } from '../types/errors.js';
import { takeSteps } from './effective.js';
import { type Finding, sortFindings } from './finding.js';
import { lookAround } from './model-files.js';
import type { Neighbourhood } from './neighbourhood.js';
import { refusals } from './refusals.js';
import { remedyFor } from './remedies.js';
import { batchingRule } from './rules-batching.js';
import { instanceRule } from './rules-instances.js';
import { labelRule } from './rules-labels.js';
import { parameterRule } from './rules-parameters.js';
import { queueRule } from './rules-queue.js';
import { rateLimiterRule } from './rules-rate-limiter.js';
import { sequenceRule } from './rules-sequence.js';
import { versionRule } from './rules-versions.js';
import { warmupRule } from './rules-warmup.js';
import type { CheckSettings } from './settings.js';
import { type CheckedVersion, type Rule, remarkAt, remarkOn, type Subject } from './subject.js';

const rules: readonly Rule[] = [
  refusals,
  batchingRule,
  queueRule,
  instanceRule,
  parameterRule,
  rateLimiterRule,
  sequenceRule,
  labelRule,
  warmupRule,
  versionRule,
];

/**
 * All that can be said of one model. Reads its files, changes nothing, never rejects.
 * @param neighbourhood the models that an ensemble may have as steps; null = it is not held against any
 */
export async function inspectModel(
  entry: ModelEntry,
  settings: CheckSettings,
  neighbourhood: Neighbourhood | null = null,
): Promise<Finding[]> {
  if (entry.problem !== '') {
    const remark = { severity: 'error' as const, rule: 'folder', message: entry.problem };
    return [
      remarkOn({ entry }, entry.directory, 1, {
        ...remark,
        expected: 'one readable folder of this name in all repositories',
        fix: 'rename it, take the other away, or let it be read',
      }),
    ];
  }
  if (entry.configFile === '' && !settings.autoComplete) return [unwritten(entry)];
  let parsed: { config: ModelConfig; source: ConfigSource };
  try {
    parsed = parseWithSource(entry.configText, entry.configFile || entry.directory);
  } catch (error) {
    return [unreadable(entry, asServerError(error).message)];
  }
  const { subject: alone, findings } = await makeSubject(entry, parsed.config, parsed.source, settings);
  const neighbours = (await neighbourhood?.around(alone.config)) ?? null;
  const subject = { ...alone, neighbours };
  return sortFindings([...findings, ...rules.flatMap((rule) => rule(subject))]);
}

function unwritten(entry: ModelEntry): Finding {
  return remarkOn({ entry }, entry.directory, 1, {
    severity: 'error',
    rule: 'folder',
    message: `model configuration is not provided for model '${entry.name}'`,
    expected: 'config.pbtxt, because nothing is completed from the model file',
    fix: 'write it (conch init makes one), or check without --disable-auto-complete-config',
  });
}

/** The parser's message begins with `file:line:column: `. */
function unreadable(entry: ModelEntry, message: string): Finding {
  const match = /^:(\d+):(\d+): (.*)$/s.exec(message.slice(entry.configFile.length));
  const [, line, column, text] = match ?? [null, '1', '1', message];
  const parts = /^(?:(.*?): )?expected (.*), found (.*)$/s.exec(text!);
  const nearest = /did you mean '?(.*?)'?\?/.exec(text!)?.[1];
  return {
    ...remarkOn({ entry }, entry.configFile, Number(line), {
      severity: 'error',
      rule: 'syntax',
      message: text!,
      found: parts?.[3] ?? '',
      expected:
        parts?.[2] ?? (nearest === undefined ? 'protobuf text format of ModelConfig' : `a field such as '${nearest}'`),
      fix:
        nearest === undefined ? 'correct the text here or just before' : `write ${nearest}, if that is what was meant`,
    }),
    field: /field '([^']+)'/.exec(text!)?.[1] ?? '',
    column: Number(column),
  };
}

interface Seen {
  readonly subject: Subject;
  /** What the model files themselves are refused for. */
  readonly findings: readonly Finding[];
}

async function makeSubject(
  entry: ModelEntry,
  written: ModelConfig,
  source: ConfigSource,
  settings: CheckSettings,
): Promise<Seen> {
  const guess = understand(written, entry, null, settings);
  const available = entry.versions.map(({ version }) => version);
  const { versions: wanted } = wantedVersions(available, guess.version_policy);
  const read = await readVersions(entry, source, guess, wanted, settings);
  const config = understand(written, entry, read.versions[0] ?? null, settings);
  const files = await lookAround(entry, config);
  const subject = {
    entry,
    written,
    source,
    config,
    wanted,
    versions: read.versions,
    files,
    neighbours: null,
    settings,
  };
  return { subject, findings: read.findings };
}

/** As far as it can be had: what stands in the way is somebody else's finding. */
export function understand(
  written: ModelConfig,
  entry: ModelEntry,
  version: Pick<CheckedVersion, 'signature'> | null,
  settings: CheckSettings,
): ModelConfig {
  const named = { ...written, name: entry.name, ...knownVersions(written) };
  for (const signature of [version?.signature ?? null, null]) {
    try {
      return takeSteps(named, entry, signature, settings).effective;
    } catch {
      // The next one knows less.
    }
  }
  return normalizeConfig(named, settings.machine);
}

/** Numbers that no version has are refused, and nobody can count with them. */
function knownVersions({ version_policy: policy }: ModelConfig): Pick<ModelConfig, 'version_policy'> {
  if (policy?.specific === undefined) return {};
  const versions = policy.specific.versions.filter((version) => Number.isSafeInteger(version) && version >= 0);
  return { version_policy: { specific: { versions } } };
}

async function readVersions(
  entry: ModelEntry,
  source: ConfigSource,
  config: ModelConfig,
  wanted: readonly number[],
  { backends }: CheckSettings,
): Promise<{ versions: CheckedVersion[]; findings: Finding[] }> {
  if (isEnsemble(config)) return { versions: [], findings: [] };
  if (!backends.includes(config.backend)) return { versions: [], findings: unserved(entry, source, config, backends) };
  const versions: CheckedVersion[] = [];
  const findings: Finding[] = [];
  for (const version of wanted) {
    const { directory } = entry.versions.find((candidate) => candidate.version === version)!;
    try {
      const file = { name: entry.name, versionDirectory: directory, config };
      if (config.backend === 'javascript') {
        await findModule(file);
        continue;
      }
      if (config.backend === 'tensorflow') {
        await findModelFile(file, config.default_model_filename);
        continue;
      }
      const path = await modelPath(file);
      const signature = await readOnnxSignature(path);
      const opened = new Set(signature.overridable.map(({ name }) => name).filter((name) => lists(config, name)));
      versions.push({ version, signature });
      if (opened.size > 0) openInitializers(await readFile(path), opened);
    } catch (error) {
      const { message } = asServerError(error);
      const remark = { severity: 'error' as const, rule: 'model-file', message, ...remedyFor(message, '') };
      findings.push(remarkOn({ entry }, directory, 1, remark));
    }
  }
  return { versions, findings };
}

function lists({ input }: ModelConfig, name: string): boolean {
  return input.some((candidate) => candidate.name === name);
}

/** Models that nobody here can run. One whose backend could not even be told is refused for that. */
function unserved(
  entry: ModelEntry,
  source: ConfigSource,
  config: ModelConfig,
  backends: readonly string[],
): Finding[] {
  const name = config.backend;
  if (name === '') return [];
  const fields = [['backend'], ['platform'], ['default_model_filename']];
  const path = fields.find((field) => source.place(field) !== null) ?? [];
  const message = `unable to find backend '${name}' for model '${entry.name}'; this server has ${backends.map((each) => `'${each}'`).join(', ')}`;
  return [
    remarkAt({ entry, source }, path, { severity: 'error', rule: 'backend', message, ...remedyFor(message, '') }),
  ];
}
