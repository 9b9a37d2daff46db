import type { Finding } from '../../src/check/finding.js';
import { understand } from '../../src/check/inspect.js';
import type { Neighbours } from '../../src/check/neighbourhood.js';
import type { CheckMachine } from '../../src/check/settings.js';
import type { ModelFiles, Rule, Subject } from '../../src/check/subject.js';
import { parseWithSource } from '../../src/config/pbtxt.js';
import { wantedVersions } from '../../src/repository/version-policy.js';
import type { ModelSignature } from '../../src/types/model.js';
import { signature } from '../config/signatures.js';

export interface SubjectParts {
  readonly text: string;
  /** Null = no version can be read. */
  readonly model?: ModelSignature | null;
  /** Version folders that are there. */
  readonly versions?: readonly number[];
  readonly machine?: Partial<CheckMachine>;
  readonly files?: Partial<ModelFiles>;
  readonly neighbours?: Neighbours | null;
}

/** A model that batches: x [3] -> y [2]. */
export const plainModel = signature(['x FP32 [-1,3]'], ['y FP32 [-1,2]']);

const noFiles: ModelFiles = { folders: [], files: [], labels: new Map(), sizes: new Map() };

/** A model called m, as rules see it, without a file. */
export function subject({
  text,
  model = plainModel,
  versions = [1],
  machine,
  files,
  neighbours = null,
}: SubjectParts): Subject {
  const { config: written, source } = parseWithSource(text, '/r/m/config.pbtxt');
  const settings = {
    machine: { gpus: [], cores: 4, ...machine },
    autoComplete: true,
    defaultMaxBatchSize: 4,
    backends: ['onnxruntime'],
  };
  const entry = {
    name: 'm',
    namespace: '',
    folder: 'm',
    directory: '/r/m',
    repository: '/r',
    configFile: '/r/m/config.pbtxt',
    configText: text,
    versions: versions.map((version) => ({ version, directory: `/r/m/${version}`, entries: ['model.onnx'] })),
    files: [],
    isTemporary: false,
    problem: '',
    notes: [],
  };
  const config = understand(written, entry, model === null ? null : { signature: model }, settings);
  const { versions: wanted } = wantedVersions(versions, config.version_policy);
  const read = model === null ? [] : wanted.map((version) => ({ version, signature: model }));
  return {
    entry,
    written,
    source,
    config,
    wanted,
    versions: read,
    files: { ...noFiles, ...files },
    neighbours,
    settings,
  };
}

/** `line:column severity [rule] field: message`, each. */
export function told(rule: Rule, parts: SubjectParts): string[] {
  return rule(subject(parts)).map(shown);
}

export function shown({ line, column, severity, rule, field, message }: Finding): string {
  return `${line}:${column} ${severity} [${rule}] ${field}: ${message}`;
}
