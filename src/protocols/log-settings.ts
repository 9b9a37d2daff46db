import { LOG_FORMATS, type LogSettings, type ServerLog } from '../base/log.js';
import { invalid, ServerError } from '../types/errors.js';

/** By Triton's names, in its order (fact sheet 1.14). */
export interface LogReply {
  readonly log_file: string;
  readonly log_info: boolean;
  readonly log_warning: boolean;
  readonly log_error: boolean;
  readonly log_verbose_level: number;
  readonly log_format: LogSettings['format'];
}

export function logReply({ settings }: ServerLog): LogReply {
  const { file, info, warning, error, verbose, format } = settings;
  return {
    log_file: file,
    log_info: info,
    log_warning: warning,
    log_error: error,
    log_verbose_level: verbose,
    log_format: format,
  };
}

/** What a protocol calls a value of another type than was expected. */
export interface TypeErrors {
  boolean(name: string): ServerError;
  level(name: string): ServerError;
  text(name: string): ServerError;
  /** `log_format` is none of them. */
  format(value: string): ServerError;
}

/** Changes what `wanted` names, all of it or nothing: null says nothing, and unknown names are ignored. */
export function changeLog(log: ServerLog, wanted: Readonly<Record<string, unknown>>, errors: TypeErrors): LogReply {
  if ((wanted.log_file ?? null) !== null) {
    throw new ServerError('UNSUPPORTED', 'log file location can not be updated through network protocol');
  }
  log.change({
    ...one('info', flagOf(wanted, 'log_info', errors)),
    ...one('warning', flagOf(wanted, 'log_warning', errors)),
    ...one('error', flagOf(wanted, 'log_error', errors)),
    ...one('verbose', levelOf(wanted, errors)),
    ...one('format', formatOf(wanted, errors)),
  });
  return logReply(log);
}

function one<Key extends keyof LogSettings>(key: Key, value: LogSettings[Key] | null): Partial<LogSettings> {
  return value === null ? {} : { [key]: value };
}

function flagOf(wanted: Readonly<Record<string, unknown>>, name: string, errors: TypeErrors): boolean | null {
  const value = wanted[name] ?? null;
  if (value === null || typeof value === 'boolean') return value;
  throw errors.boolean(name);
}

function levelOf({ log_verbose_level: value = null }: Readonly<Record<string, unknown>>, errors: TypeErrors) {
  if (value === null) return null;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff) return value;
  throw errors.level('log_verbose_level');
}

function formatOf({ log_format: value = null }: Readonly<Record<string, unknown>>, errors: TypeErrors) {
  if (value === null) return null;
  if (typeof value !== 'string') throw errors.text('log_format');
  const format = LOG_FORMATS.find((known) => known === value);
  if (format === undefined) throw errors.format(value);
  return format;
}

/** Over HTTP (fact sheet 13.20). */
export const httpTypeErrors: TypeErrors = {
  boolean: () => new ServerError('INTERNAL', 'attempt to access JSON non-boolean as boolean'),
  level: () => new ServerError('INTERNAL', 'attempt to access JSON non-unsigned-integer as unsigned-integer'),
  text: () => new ServerError('INTERNAL', 'attempt to access JSON non-string as string'),
  format: (value) => new ServerError('UNAVAILABLE', `invalid argument for --log_format, got: ${value}`),
};

/** Over gRPC (fact sheet 3.5). */
export const grpcTypeErrors: TypeErrors = {
  boolean: (name) => invalid(`expect boolean for '${name}'`),
  level: (name) => invalid(`expect int32 for '${name}'`),
  text: (name) => invalid(`expect string for '${name}'`),
  format: (value) => invalid(`invalid argument for log_format, got: ${value}`),
};
