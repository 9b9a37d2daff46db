import type { InferenceServer } from '../../core/server.js';
import { traceSettings, type WantedSettings } from '../trace-settings.js';
import type { ProtoMessage } from './proto.js';

/** TraceSetting (fact sheet 3.5): a setting without values is cleared; without settings it only reads. */
export function traceSetting(server: InferenceServer, { model_name, settings }: ProtoMessage): object {
  const reply = traceSettings(server, model_name as string, wantedOf(settings as ProtoSettings));
  const entries = Object.entries(reply).map(([name, value]) => [name, { value: [value].flat() }]);
  return { settings: Object.fromEntries(entries) };
}

type ProtoSettings = Readonly<Record<string, { readonly value: readonly string[] }>>;

function wantedOf(settings: ProtoSettings): WantedSettings {
  return new Map(Object.entries(settings).map(([name, { value }]) => [name, value.length === 0 ? null : value]));
}
