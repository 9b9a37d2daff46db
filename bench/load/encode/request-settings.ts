import type { ParameterValue, Step } from '../data/data-set.js';
import type { LoadOptions } from '../options.js';
import type { RegionPlace, TargetModel, TensorSource } from '../target/target.js';
import type { WireProtocol, WireTarget } from '../wires/wire.js';
import type { StepPlace } from './prepared-request.js';

/** What requests say beside their data. */
export interface RequestSettings {
  /** Of the target of the wires; headers are part of the requests over HTTP only. */
  readonly target: Pick<WireTarget, 'host' | 'port' | 'path' | 'headers'>;
  /** '' = the latest. Over gRPC; elsewhere the path says it. */
  readonly modelVersion: string;
  readonly inputFormat: LoadOptions['data']['inputFormat'];
  readonly outputFormat: LoadOptions['data']['outputFormat'];
  readonly parameters: Readonly<Record<string, ParameterValue>>;
  /** Outputs that the server writes to shared memory; empty = all come with the answer. */
  readonly outputPlaces: ReadonlyMap<string, RegionPlace>;
}

/** As `Step`, whose inputs may also lie in shared memory. */
export interface SourceStep extends Omit<Step, 'inputs'> {
  readonly inputs: readonly TensorSource[];
}

/** As `DataSet`, which is one. */
export interface SourceSet {
  readonly streams: readonly (readonly SourceStep[])[];
}

/** One request to encode. */
export interface RequestForm {
  readonly protocol: WireProtocol;
  readonly model: TargetModel;
  readonly settings: RequestSettings;
  readonly step: SourceStep;
  /** null = it is part of no sequence. */
  readonly place: StepPlace | null;
}

/** `/v2/models/NAME[/versions/N]/infer`. */
export function inferPath(model: string, version: string): string {
  const versions = version === '' ? '' : `/versions/${encodeURIComponent(version)}`;
  return `/v2/models/${encodeURIComponent(model)}${versions}/infer`;
}

export function isFirst(place: StepPlace): boolean {
  return place === 'first' || place === 'only';
}

export function isLast(place: StepPlace): boolean {
  return place === 'last' || place === 'only';
}

/** Requests that share a connection have ids to tell their answers apart. */
export function hasId(protocol: WireProtocol): boolean {
  return protocol === 'ws' || protocol === 'grpc-stream';
}

/** Of the request: those of all, those of its step, and what makes the end of a decoupled model's answers visible. */
export function parametersOf({ model, settings, step }: RequestForm): [string, ParameterValue][] {
  const emptyFinal = model.isDecoupled ? { triton_enable_empty_final_response: true } : {};
  return Object.entries({ ...settings.parameters, ...step.parameters, ...emptyFinal });
}

/** The bytes that go with the request; none of a tensor in shared memory. */
export function sentBytes(input: TensorSource): Buffer {
  return 'bytes' in input ? input.bytes : Buffer.alloc(0);
}

export function sumOfBytes(parts: readonly Buffer[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}
