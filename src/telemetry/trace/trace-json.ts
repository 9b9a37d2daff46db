import type { Trace } from './trace.js';

/** The objects of a trace and its children (fact sheet 8.2), as JSON: who it is, its timestamps, its tensors. */
export function traceJson(trace: Trace): string[] {
  const { id, parent, modelName, modelVersion, requestId, stamps, tensors } = trace;
  const head = {
    id,
    model_name: modelName,
    model_version: modelVersion,
    ...(requestId === '' ? {} : { request_id: requestId }),
    ...(parent === null ? {} : { parent_id: parent.id }),
  };
  const timestamps = [...stamps].sort((a, b) => a.ns - b.ns).map(({ activity, ns }) => ({ name: activity, ns }));
  const objects: object[] = [
    head,
    ...(timestamps.length === 0 ? [] : [{ id, timestamps }]),
    ...tensors.map((record) => ({ id, ...record })),
  ];
  return [...objects.map((object) => JSON.stringify(object)), ...trace.children.flatMap(traceJson)];
}
