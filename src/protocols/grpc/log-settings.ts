import type { InferenceServer } from '../../core/server.js';
import { changeLog, grpcTypeErrors } from '../log-settings.js';
import type { ProtoMessage } from './proto.js';

interface SettingValue {
  readonly bool_param?: boolean;
  readonly uint32_param?: number;
  readonly string_param?: string;
  readonly parameter_choice?: keyof SettingValue;
}

/** LogSettings (fact sheet 3.5); without settings it only reads. */
export function logSettings({ log }: InferenceServer, { settings }: ProtoMessage): object {
  const given = Object.entries(settings as Readonly<Record<string, SettingValue>>);
  const wanted = given.map(([name, value]) => [name, value[value.parameter_choice ?? 'string_param']]);
  const reply = Object.entries(changeLog(log, Object.fromEntries(wanted), grpcTypeErrors));
  return { settings: Object.fromEntries(reply.map(([name, value]) => [name, settingOf(value)])) };
}

function settingOf(value: boolean | number | string): SettingValue {
  if (typeof value === 'boolean') return { bool_param: value };
  return typeof value === 'number' ? { uint32_param: value } : { string_param: value };
}
