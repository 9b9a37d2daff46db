import { join } from 'node:path';
import type { FieldPath } from '../config/config-source.js';
import { isEnsemble } from '../config/normalize.js';
import { noVersionText, wantedVersions } from '../repository/version-policy.js';
import type { Finding } from './finding.js';
import { remedyFor } from './remedies.js';
import { remarkAt, remarkOn, type Subject } from './subject.js';

/** Folders of a model that are no versions. */
const sideFolders = ['warmup', 'initial_state', 'configs'];

/** Which version folders are loaded, which are not, and which are missing. */
export function versionRule(subject: Subject): Finding[] {
  return [...noVersion(subject), ...absent(subject), ...passedOver(subject), ...noVersions(subject), ...stray(subject)];
}

function policyPath({ source }: Subject): FieldPath {
  return source.place(['version_policy']) === null ? [] : ['version_policy'];
}

function noVersion(subject: Subject): Finding[] {
  if (subject.wanted.length > 0) return [];
  const message = noVersionText(subject.entry.name);
  const remark = { severity: 'error' as const, rule: 'versions', message, ...remedyFor(message, '') };
  const path = policyPath(subject);
  return [path.length > 0 ? remarkAt(subject, path, remark) : remarkOn(subject, subject.entry.directory, 1, remark)];
}

function absent(subject: Subject): Finding[] {
  const there = subject.entry.versions.map(({ version }) => version);
  const { missing } = wantedVersions(there, subject.config.version_policy);
  const named = subject.written.version_policy?.specific?.versions ?? [];
  return missing.map((version) =>
    remarkAt(subject, ['version_policy', 'specific', 'versions', named.indexOf(version)], {
      severity: 'warning',
      rule: 'versions',
      message: `version ${version} is not there, and so is not served`,
      expected: there.length === 0 ? 'a folder of this number' : `one of ${there.join(', ')}`,
      fix: `make the folder ${version}, or take the number out`,
    }),
  );
}

function passedOver(subject: Subject): Finding[] {
  const left = subject.entry.versions.filter(({ version }) => !subject.wanted.includes(version));
  if (left.length === 0 || subject.wanted.length === 0) return [];
  const policy = subject.config.version_policy;
  const why =
    policy?.specific === undefined
      ? `latest { num_versions: ${policy?.latest?.num_versions ?? 1} }`
      : `specific { versions: [ ${policy.specific.versions.join(', ')} ] }`;
  const numbers = left.map(({ version }) => version).join(', ');
  return [
    remarkAt(subject, policyPath(subject), {
      severity: 'hint',
      rule: 'versions',
      message: `${left.length === 1 ? `version folder ${numbers} is` : `version folders ${numbers} are`} never loaded: the version policy is ${why}`,
      expected: 'a policy that wants every folder that is meant to be served',
      fix: 'write version_policy { all { } }, or leave it if they are kept for going back',
    }),
  ];
}

/** Folders whose name is nearly a version, or that hold what a version would. */
function noVersions(subject: Subject): Finding[] {
  const { entry, config, files } = subject;
  const modelFile = config.default_model_filename || 'model.onnx';
  const odd = files.folders.filter(({ name, entries }) => {
    if (/^[1-9][0-9]*$/.test(name) || sideFolders.includes(name)) return false;
    return /^(v|version)?[-_]?[0-9.]+$/i.test(name) || entries.includes(modelFile);
  });
  const beyond = entry.notes.length > 0 ? files.folders.filter(({ name }) => isBeyond(name)) : [];
  return [...odd, ...beyond].map(({ name }) =>
    remarkOn(subject, join(entry.directory, name), 1, {
      severity: 'warning',
      rule: 'versions',
      message: `folder '${name}' is never loaded: it is no version`,
      found: name,
      expected: 'a number from 1 to 2^53 - 1 that does not begin with 0',
      fix: `rename it${/[1-9][0-9]{0,14}/.test(name) ? `, for instance to ${/[1-9][0-9]{0,14}/.exec(name)![0]}` : ''}`,
    }),
  );
}

function isBeyond(name: string): boolean {
  return /^[1-9][0-9]*$/.test(name) && !Number.isSafeInteger(Number(name));
}

/** A model file beside the configuration instead of in a version. */
function stray(subject: Subject): Finding[] {
  const { entry, files, config } = subject;
  if (isEnsemble(config)) return [];
  const lost = files.files.filter((name) => name.endsWith('.onnx') || name === config.default_model_filename);
  return lost.map((name) =>
    remarkOn(subject, join(entry.directory, name), 1, {
      severity: 'warning',
      rule: 'versions',
      message: `'${name}' lies beside the version folders and is never loaded`,
      found: name,
      expected: `1/${config.default_model_filename || 'model.onnx'}`,
      fix: 'move it into a version folder',
    }),
  );
}
