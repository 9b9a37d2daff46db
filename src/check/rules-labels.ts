import { join } from 'node:path';
import { elementCount } from '../types/tensor.js';
import type { Finding } from './finding.js';
import { isSize, remarkAt, remarkOn, type Subject } from './subject.js';

/** Label files against the number of classes (fact sheet 2.3). */
export function labelRule(subject: Subject): Finding[] {
  const named = subject.config.output.filter(({ label_filename }) => label_filename !== '');
  return [
    ...named.flatMap((output) => {
      const index = subject.config.output.indexOf(output);
      const text = subject.files.labels.get(output.label_filename);
      if (text === undefined || text === null) return [missing(subject, index)];
      return lines(subject, index, text);
    }),
    ...unnamed(subject),
  ];
}

function missing(subject: Subject, index: number): Finding {
  const { name, label_filename: file } = subject.config.output[index]!;
  return remarkAt(subject, ['output', index, 'label_filename'], {
    severity: 'error',
    rule: 'labels',
    message: `the labels of output '${name}' cannot be read: there is no file '${file}' in the model's folder`,
    expected: `a file '${file}', one label per line`,
    fix: 'put it there, or take label_filename out',
  });
}

/** As `core/labels.ts` reads them: one line break at the end belongs to the last line. */
function lines(subject: Subject, index: number, text: string): Finding[] {
  const { name, dims, label_filename: file } = subject.config.output[index]!;
  if (dims.length === 0 || !dims.every(isSize)) return [];
  const classes = elementCount(dims);
  const labels = text.replace(/\r?\n$/, '').split(/\r?\n/).length;
  if (labels === classes) return [];
  const path = join(subject.entry.directory, file);
  const remark = {
    severity: 'warning' as const,
    rule: 'labels',
    expected: `${classes} lines, one for each element of dims`,
  };
  if (labels < classes) {
    return [
      remarkOn(subject, path, labels, {
        ...remark,
        message: `output '${name}' has ${classes} classes but only ${labels} labels: the others are answered without one`,
        found: `${labels} lines`,
        fix: `add ${classes - labels} ${classes - labels === 1 ? 'line' : 'lines'}`,
      }),
    ];
  }
  return [
    remarkOn(subject, path, classes + 1, {
      ...remark,
      message: `output '${name}' has ${classes} classes but ${labels} labels: those from here on belong to none`,
      found: `${labels} lines`,
      fix: `take ${labels - classes} ${labels - classes === 1 ? 'line' : 'lines'} out; the first label is that of element 0`,
    }),
  ];
}

/** A file that looks like labels and belongs to no output. */
function unnamed(subject: Subject): Finding[] {
  if (subject.config.output.length === 0) return [];
  const used = new Set(subject.config.output.map(({ label_filename }) => label_filename));
  const idle = subject.files.files.filter((name) => /label.*\.txt$|^classes\.txt$/i.test(name) && !used.has(name));
  return idle.map((name) =>
    remarkOn(subject, join(subject.entry.directory, name), 1, {
      severity: 'hint',
      rule: 'labels',
      message: `no output has the label file '${name}': its labels are never answered`,
      expected: `label_filename: "${name}" at an output`,
      fix: 'name it, or take the file away',
    }),
  );
}
