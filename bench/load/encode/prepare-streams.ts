import { DataError } from '../data/data-error.js';
import type { TargetModel } from '../target/target.js';
import type { WireProtocol } from '../wires/wire.js';
import { grpcRequest } from './grpc-request.js';
import { httpRequest } from './http-request.js';
import type { PreparedRequest, PreparedStep, PreparedStreams, StepPlace } from './prepared-request.js';
import type { RequestForm, RequestSettings, SourceSet, SourceStep } from './request-settings.js';
import { webSocketRequest } from './web-socket-request.js';

const encoders: Readonly<Record<WireProtocol, (form: RequestForm) => PreparedRequest>> = {
  http: httpRequest,
  grpc: grpcRequest,
  'grpc-stream': grpcRequest,
  ws: webSocketRequest,
};

/** Those of a sequence are not for users to set. */
const ownParameters = ['sequence_id', 'sequence_start', 'sequence_end'];

/**
 * The bytes of all requests of a data set. A model whose scheduler is `sequence` has each step for each place in a sequence that it can
 * have; another has `middle` only. Throws a DataError for what the protocol cannot carry.
 */
export function prepareStreams(
  protocol: WireProtocol,
  model: TargetModel,
  dataSet: SourceSet,
  settings: RequestSettings,
): PreparedStreams {
  checkSettings(protocol, model, settings);
  const encode = encoders[protocol];
  const prepare = (step: SourceStep, at: number): PreparedStep => {
    checkStep(step, settings);
    const request = (place: StepPlace | null) => encode({ protocol, model, settings, step, place });
    const requests =
      model.scheduler === 'sequence'
        ? Object.fromEntries(placesOf(at).map((place) => [place, request(place)]))
        : { middle: request(null) };
    return { requests, expected: step.expected };
  };
  return dataSet.streams.map((steps) => steps.map(prepare));
}

/** A sequence begins with the first step of a stream; it may end with any, and go on with the first again. */
function placesOf(step: number): readonly StepPlace[] {
  return step === 0 ? ['first', 'middle', 'last', 'only'] : ['middle', 'last'];
}

function checkSettings(protocol: WireProtocol, model: TargetModel, settings: RequestSettings): void {
  const takesJson = protocol === 'http' || protocol === 'ws';
  for (const [flag, format] of [
    ['--input-tensor-format', settings.inputFormat],
    ['--output-tensor-format', settings.outputFormat],
  ]) {
    if (format === 'json' && !takesJson) {
      throw new DataError(`${flag}=json: over ${protocol} tensors are bytes; use http or ws, or leave the flag out`);
    }
  }
  if (model.isDecoupled && (protocol === 'http' || protocol === 'grpc')) {
    throw new DataError(
      `model '${model.name}' is decoupled, which ${protocol} cannot carry: use gRPC with --streaming, or ws`,
    );
  }
  checkParameters(settings.parameters, '--request-parameter');
}

function checkParameters(parameters: SourceStep['parameters'], origin: string): void {
  const own = ownParameters.find((name) => Object.hasOwn(parameters, name));
  if (own !== undefined) {
    throw new DataError(`${origin} ${own}: the load test itself sets it for models with sequences; leave it out`);
  }
}

function checkStep({ parameters, expected }: SourceStep, { outputPlaces }: RequestSettings): void {
  checkParameters(parameters, "data, 'parameters':");
  const hidden = expected?.find(({ name }) => outputPlaces.has(name));
  if (hidden === undefined) return;
  throw new DataError(
    `validation_data, output '${hidden.name}': it is in shared memory, where it is not looked at; ` +
      'use --shared-memory=none, or leave out validation_data',
  );
}
