import { invalid } from '../types/errors.js';
import {
  attributeProto,
  EXTERNAL,
  externalProto,
  graphProto,
  modelProto,
  nodeProto,
  tensorProto,
} from './onnx-proto.js';
import { messages, type WireField, WireFile } from './onnx-wire.js';

/**
 * The files, relative to the ONNX file's folder, in which its tensors have their elements, each once. Reads no element. Throws
 * INVALID_ARGUMENT for a place outside that folder, INTERNAL where the file is no ONNX model.
 */
export function externalFiles(path: string): string[] {
  const file = new WireFile(path);
  try {
    const found = new Set<string>();
    for (const field of messages(file.fields(0, file.size))) {
      if (field.number === modelProto.graph) inGraph(file, field, found);
    }
    return [...found];
  } finally {
    file.close();
  }
}

function inGraph(file: WireFile, graph: WireField, found: Set<string>): void {
  for (const field of messages(file.within(graph))) {
    if (field.number === graphProto.initializer) inTensor(file, field, found);
    else if (field.number === graphProto.sparseInitializer) inSparse(file, field, found);
    else if (field.number === graphProto.node) inNode(file, field, found);
  }
}

/** Values and indices of a sparse tensor are tensors. */
function inSparse(file: WireFile, sparse: WireField, found: Set<string>): void {
  for (const field of messages(file.within(sparse))) if (field.number <= 2) inTensor(file, field, found);
}

/** Constants, and the graphs of loops and branches. */
function inNode(file: WireFile, node: WireField, found: Set<string>): void {
  for (const attribute of messages(file.within(node))) {
    if (attribute.number !== nodeProto.attribute) continue;
    for (const field of messages(file.within(attribute))) {
      if (attributeProto.tensors.includes(field.number)) inTensor(file, field, found);
      else if (attributeProto.graphs.includes(field.number)) inGraph(file, field, found);
    }
  }
}

function inTensor(file: WireFile, tensor: WireField, found: Set<string>): void {
  const entries: WireField[] = [];
  let isExternal = false;
  for (const field of file.within(tensor)) {
    if (field.number === tensorProto.dataLocation && field.wire === 0) isExternal = field.value === EXTERNAL;
    if (field.number === tensorProto.externalData && field.wire === 2) entries.push(field);
  }
  if (!isExternal) return;
  for (const entry of entries) {
    const { key, value } = entryOf(file, entry);
    if (key === 'location') found.add(inside(file, value));
  }
}

function entryOf(file: WireFile, entry: WireField): { key: string; value: string } {
  let key = '';
  let value = '';
  for (const field of messages(file.within(entry))) {
    if (field.number === externalProto.key) key = file.text(field);
    if (field.number === externalProto.value) value = file.text(field);
  }
  return { key, value };
}

function inside({ path }: WireFile, location: string): string {
  const isInside = location !== '' && !/^([/\\]|[A-Za-z]:)/.test(location) && !location.split(/[/\\]/).includes('..');
  if (isInside) return location;
  throw invalid(`${path} has weights in '${location}': expected a file in its own folder`);
}
