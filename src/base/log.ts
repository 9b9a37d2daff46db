import { pino } from 'pino';

/** The four verbs of the log; `verbose` is shown from `--log-verbose` that level on. One event, one line, no per-request lines below level 1. */
export interface Log {
  info(message: string): void;
  warning(message: string): void;
  error(message: string): void;
  /** @param about what the message says anyway, as members of a line of JSON */
  verbose(level: number, message: string, about?: LogSubject): void;
}

/** The request that a line is about. */
export interface LogSubject {
  /** '' = that is not known. */
  readonly model: string;
  /** '' = it has none. */
  readonly requestId: string;
}

/** For tests and tools that have nobody to tell. */
export const silentLog: Log = { info() {}, warning() {}, error() {}, verbose() {} };

/** The first two are Triton's; json = one object a line. */
export const LOG_FORMATS = ['default', 'ISO8601', 'json'] as const;

/** What the log writes; changed while the server runs by `ServerLog.change`. */
export interface LogSettings {
  /** 0 = no verbose lines; n = those of levels 1 to n. */
  readonly verbose: number;
  readonly info: boolean;
  readonly warning: boolean;
  readonly error: boolean;
  readonly format: (typeof LOG_FORMATS)[number];
  /** All lines are appended to it; '' = INFO to standard output, the rest to standard error. */
  readonly file: string;
}

export interface ServerLog extends Log {
  readonly settings: LogSettings;
  /** Throws what the file system says where a new file cannot be opened; nothing is changed then. */
  change(changed: Partial<LogSettings>): void;
  /** The same log under the name of another part of the server. */
  child(area: string): Log;
}

/** Takes whole lines. `close` may be called once, after the last line. */
export interface LogSink {
  write(line: string): void;
  close(): void;
}

/** Where lines go: `open('')` is asked for both streams of the process, and `open(file)` for a file. Throws where it cannot be had. */
export type OpenSink = (target: 1 | 2 | string) => LogSink;

type Severity = 'I' | 'W' | 'E';

/** Of lines that a stalled reader has not taken; more are dropped. */
const STALLED_BYTES_MAX = 1 << 20;
/** Times 100 ms: so long one stall of the reader may hold up the whole process. */
const STALLED_TRIES_MAX = 10;

/**
 * Pino's destination without pino's logger: that one's records are JSON and its levels a threshold, Triton's lines are text and its
 * levels three switches and a number. The destination writes each line at once, so that `process.exit` loses none; it gives up a
 * pipe that nobody reads any more, and waits for a full one only within the bounds above.
 */
export function openSink(target: 1 | 2 | string): LogSink {
  let tries = 0;
  const retryEAGAIN = () => ++tries <= STALLED_TRIES_MAX;
  const stream = pino.destination({ dest: target, sync: true, maxLength: STALLED_BYTES_MAX, retryEAGAIN });
  stream.on('write', () => {
    tries = 0;
  });
  // A log that cannot be written has nobody to be reported to.
  stream.on('error', () => {});
  return { write: (line) => stream.write(line), close: () => stream.end() };
}

/**
 * Lines as Triton writes them (fact sheet 8.4), with the area of the server instead of a file and line. Throws what the file system
 * says where `settings.file` cannot be opened.
 */
export function createLog(
  settings: LogSettings,
  area = 'server',
  open: OpenSink = openSink,
  nowMs: () => number = Date.now,
): ServerLog {
  const writer = new LogWriter(settings, open, nowMs);
  return {
    ...areaLog(writer, area),
    get settings() {
      return writer.settings;
    },
    change: (changed) => writer.change(changed),
    child: (name) => areaLog(writer, name),
  };
}

function areaLog(writer: LogWriter, area: string): Log {
  return {
    info: (message) => writer.settings.info && writer.write('I', area, message),
    warning: (message) => writer.settings.warning && writer.write('W', area, message),
    error: (message) => writer.settings.error && writer.write('E', area, message),
    verbose: (level, message, about) => writer.settings.verbose >= level && writer.write('I', area, message, about),
  };
}

/** The settings, shared by all areas, and the streams they lead to. */
class LogWriter {
  readonly #open: OpenSink;
  readonly #nowMs: () => number;
  readonly #escape = process.env.TRITON_SERVER_ESCAPE_LOG_MESSAGES !== '0';
  readonly #out: LogSink;
  readonly #err: LogSink;
  #file: LogSink | null;
  #settings: LogSettings;

  constructor(settings: LogSettings, open: OpenSink, nowMs: () => number) {
    this.#open = open;
    this.#nowMs = nowMs;
    this.#file = settings.file === '' ? null : open(settings.file);
    this.#out = open(1);
    this.#err = open(2);
    this.#settings = settings;
  }

  get settings(): LogSettings {
    return this.#settings;
  }

  change(changed: Partial<LogSettings>): void {
    const next = { ...this.#settings, ...changed };
    if (next.file !== this.#settings.file) {
      const before = this.#file;
      this.#file = next.file === '' ? null : this.#open(next.file);
      before?.close();
    }
    this.#settings = next;
  }

  write(severity: Severity, area: string, message: string, about?: LogSubject): void {
    const { format } = this.#settings;
    const now = new Date(this.#nowMs());
    const sink = this.#file ?? (severity === 'I' ? this.#out : this.#err);
    if (format === 'json') {
      sink.write(jsonLine(severity, area, message, now, about));
      return;
    }
    const text = this.#escape ? JSON.stringify(message) : message;
    sink.write(`${lineHead(format, severity, now)} ${process.pid} ${area}] ${text}\n`);
  }
}

const levels: Readonly<Record<Severity, string>> = { I: 'info', W: 'warning', E: 'error' };

function jsonLine(severity: Severity, area: string, msg: string, now: Date, about?: LogSubject): string {
  const { model = '', requestId = '' } = about ?? {};
  const of = model === '' ? {} : { model };
  const line = { time: now.toISOString(), level: levels[severity], pid: process.pid, area, ...of, msg };
  return `${JSON.stringify(requestId === '' ? line : { ...line, request_id: requestId })}\n`;
}

/** UTC. The last three digits of the microseconds are 0: the wall clock counts milliseconds here. */
function lineHead(format: LogSettings['format'], severity: Severity, now: Date): string {
  const iso = now.toISOString();
  if (format === 'ISO8601') return `${iso.slice(0, 19)}Z ${severity}`;
  return `${severity}${iso.slice(5, 7)}${iso.slice(8, 10)} ${iso.slice(11, 23)}000`;
}
