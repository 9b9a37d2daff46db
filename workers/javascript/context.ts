import type { LogMessage } from '../../src/backends/channel-protocol.js';
import type { JavaScriptSettings } from '../../src/backends/javascript-protocol.js';
import type { InstanceInit } from '../../src/backends/worker-protocol.js';
import type { Calls } from './calls.js';
import { InstanceMetrics } from './metrics.js';
import type { ModelConfig, ModelContext, ModelLog } from './model-api.js';

/** What `initialize` is given. */
export function contextOf(init: InstanceInit<JavaScriptSettings>, calls: Calls, signal: AbortSignal): ModelContext {
  const { settings } = init;
  return {
    name: init.model,
    version: settings.version,
    directory: settings.versionDirectory,
    instance: init.instance,
    kind: settings.kind as ModelContext['kind'],
    device: settings.device,
    config: JSON.parse(settings.configJson) as ModelConfig,
    parameters: settings.parameters,
    log: logTo(init),
    metrics: new InstanceMetrics(init.port),
    signal,
    infer: (options) => calls.infer(options),
    inferStream: (options) => calls.inferStream(options),
  };
}

export function logTo({ port }: Pick<InstanceInit, 'port'>): ModelLog {
  const tell = (severity: LogMessage['severity'], level: number, message: string) => {
    port.postMessage({ kind: 'log', severity, level, text: String(message) } satisfies LogMessage);
  };
  return {
    info: (message) => tell('info', 0, message),
    warning: (message) => tell('warning', 0, message),
    error: (message) => tell('error', 0, message),
    verbose: (level, message) => tell('verbose', level, message),
  };
}
