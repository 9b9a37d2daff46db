// Makes the models of examples/trtis: `simple` and `simple_string`, frozen TensorFlow graphs as the examples of the TensorRT
// Inference Server have them. A GraphDef is a message of protobuf, so it takes no TensorFlow.
//   node examples/make_graphdefs.mjs [FOLDER]
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

const FOLDER = process.argv[2] ?? fileURLToPath(new URL('trtis', import.meta.url));

/** What these graphs need of tensorflow/core/framework: graph.proto, node_def.proto, attr_value.proto, tensor_shape.proto. */
const { root } = protobuf.parse(
  `syntax = "proto3";
  message GraphDef { repeated NodeDef node = 1; VersionDef versions = 4; }
  message VersionDef { int32 producer = 1; }
  message NodeDef { string name = 1; string op = 2; repeated string input = 3; map<string, AttrValue> attr = 5; }
  message AttrValue { oneof value { int32 type = 6; TensorShape shape = 7; } }
  message TensorShape { message Dim { int64 size = 1; } repeated Dim dim = 2; }`,
  { keepCase: true },
);
const GraphDef = root.lookupType('GraphDef');

const INT32 = { type: 3 };
const STRING = { type: 7 };
/** Any number of rows. */
const ROWS_OF_16 = { shape: { dim: [{ size: -1 }, { size: 16 }] } };

const placeholder = (name, dtype) => ({ name, op: 'Placeholder', attr: { dtype, shape: ROWS_OF_16 } });
const identity = (name, input, T) => ({ name, op: 'Identity', input: [input], attr: { T } });
const sumAndDifference = (a, b) => [
  { name: 'ADD', op: 'Add', input: [a, b], attr: { T: INT32 } },
  { name: 'SUB', op: 'Sub', input: [a, b], attr: { T: INT32 } },
];

const simple = [
  placeholder('INPUT0', INT32),
  placeholder('INPUT1', INT32),
  ...sumAndDifference('INPUT0', 'INPUT1'),
  identity('OUTPUT0', 'ADD', INT32),
  identity('OUTPUT1', 'SUB', INT32),
];

/** The same of numbers that are written as text. */
const simpleString = [
  placeholder('INPUT0', STRING),
  placeholder('INPUT1', STRING),
  { name: 'NUMBER0', op: 'StringToNumber', input: ['INPUT0'], attr: { out_type: INT32 } },
  { name: 'NUMBER1', op: 'StringToNumber', input: ['INPUT1'], attr: { out_type: INT32 } },
  ...sumAndDifference('NUMBER0', 'NUMBER1'),
  { name: 'OUTPUT0', op: 'AsString', input: ['ADD'], attr: { T: INT32 } },
  { name: 'OUTPUT1', op: 'AsString', input: ['SUB'], attr: { T: INT32 } },
];

const config = (name, datatype) => `name: "${name}"
platform: "tensorflow_graphdef"
max_batch_size: 8
input [
  { name: "INPUT0" data_type: ${datatype} dims: [ 16 ] },
  { name: "INPUT1" data_type: ${datatype} dims: [ 16 ] }
]
output [
  { name: "OUTPUT0" data_type: ${datatype} dims: [ 16 ] },
  { name: "OUTPUT1" data_type: ${datatype} dims: [ 16 ] }
]
`;

function write(name, datatype, node) {
  const folder = join(FOLDER, name);
  mkdirSync(join(folder, '1'), { recursive: true });
  writeFileSync(join(folder, 'config.pbtxt'), config(name, datatype));
  const graph = GraphDef.encode(GraphDef.fromObject({ node, versions: { producer: 134 } })).finish();
  writeFileSync(join(folder, '1', 'model.graphdef'), graph);
}

write('simple', 'TYPE_INT32', simple);
write('simple_string', 'TYPE_STRING', simpleString);
