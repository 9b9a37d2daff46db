import type { OnnxProvider, OnnxSessionOptions, OnnxSettings } from '../src/backends/worker-protocol.js';
import { ServerError } from '../src/types/errors.js';
import type { Handle, OrtLibrary } from './ort-library.js';

/** `OrtLoggingLevel`: errors only; what fails is thrown, so the rest would be said twice. */
const LOG_ERRORS = 3;

/** Opens the model of one instance, which `ReleaseSession` closes. Throws INTERNAL with ONNX Runtime's text. */
export function openSession(library: OrtLibrary, settings: OnnxSettings): Handle {
  // One for the process, however often it is asked for.
  const env = library.make('CreateEnv', LOG_ERRORS, 'conch');
  const options = library.make('CreateSessionOptions');
  try {
    applyOptions(library, options, settings.session);
    const { modelBytes, modelPath } = settings;
    if (modelBytes.length === 0) return library.make('CreateSession', env, modelPath, options);
    return library.make('CreateSessionFromArray', env, modelBytes, modelBytes.length, options);
  } finally {
    library.get('ReleaseSessionOptions')(options);
  }
}

function applyOptions(library: OrtLibrary, options: Handle, session: OnnxSessionOptions): void {
  library.do('SetSessionLogSeverityLevel', options, LOG_ERRORS);
  library.do('SetSessionGraphOptimizationLevel', options, session.graphLevel);
  library.do('SetIntraOpNumThreads', options, session.intraOpThreads);
  library.do('SetInterOpNumThreads', options, session.interOpThreads);
  library.do('SetSessionExecutionMode', options, session.parallel ? 1 : 0);
  library.do(session.memArena ? 'EnableCpuMemArena' : 'DisableCpuMemArena', options);
  library.do(session.memPattern ? 'EnableMemPattern' : 'DisableMemPattern', options);
  for (const [key, value] of Object.entries(session.entries)) library.do('AddSessionConfigEntry', options, key, value);
  for (const provider of session.providers) appendProvider(library, options, provider);
}

/** Both providers have the same three functions under their names. */
function appendProvider(library: OrtLibrary, options: Handle, { name, options: settings }: OnnxProvider): void {
  const provider = library.make(`Create${name}Options`);
  try {
    const keys = Object.keys(settings);
    library.do(`Update${name}Options`, provider, keys, Object.values(settings), keys.length);
    library.do(`Append${name}`, options, provider);
  } catch (error) {
    throw missingProvider(name, error as Error);
  } finally {
    library.get(`Release${name}Options`)(provider);
  }
}

function missingProvider(name: string, error: Error): ServerError {
  return new ServerError(
    'INTERNAL',
    `the ${name} execution provider cannot be used: ${error.message}. Install its libraries (docs/configuration.md), or set kind: KIND_CPU`,
  );
}
