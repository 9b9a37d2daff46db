import { createRequire } from 'node:module';
import protobuf from 'protobufjs';
import { PROTO_FILES, protoRoot } from './proto.js';

/** FieldDescriptorProto.Type (google/protobuf/descriptor.proto). */
const scalarTypes: Readonly<Record<string, number>> = {
  double: 1,
  float: 2,
  int64: 3,
  uint64: 4,
  int32: 5,
  fixed64: 6,
  fixed32: 7,
  bool: 8,
  string: 9,
  bytes: 12,
  uint32: 13,
  sfixed32: 15,
  sfixed64: 16,
  sint32: 17,
  sint64: 18,
};
const MESSAGE = 11;
const ENUM = 14;
const OPTIONAL = 1;
const REPEATED = 3;

/** A file of `proto/` as other programs understand it, and the files it imports. */
export interface FileDescriptor {
  /** A FileDescriptorProto. */
  readonly bytes: Uint8Array;
  readonly imports: readonly string[];
}

/** The descriptors of all files of `proto/`, by name. */
export function fileDescriptors(): ReadonlyMap<string, FileDescriptor> {
  const require = createRequire(import.meta.url);
  const schema = protobuf.Root.fromJSON(require('protobufjs/google/protobuf/descriptor.json'));
  const type = schema.lookupType('google.protobuf.FileDescriptorProto');
  return new Map(
    PROTO_FILES.map((name) => {
      const imports = name === 'grpc_service.proto' ? ['model_config.proto'] : [];
      const file = { ...describeFile(name), dependency: imports };
      return [name, { bytes: type.encode(type.fromObject(file)).finish(), imports }];
    }),
  );
}

function describeFile(name: string) {
  const objects = objectsOf(protoRoot()).filter((object) => object.filename === name);
  const namespace = objects[0]!.parent!;
  return {
    name,
    package: namespace.fullName.slice(1),
    syntax: 'proto3',
    messageType: objects.filter((object) => object instanceof protobuf.Type).map(describeMessage),
    enumType: objects.filter((object) => object instanceof protobuf.Enum).map(describeEnum),
    service: objects.filter((object) => object instanceof protobuf.Service).map(describeService),
  };
}

/** Types, enums and services that lie in a package, not in a type. */
function objectsOf(namespace: protobuf.NamespaceBase): protobuf.ReflectionObject[] {
  return namespace.nestedArray.flatMap((object) => (isPackage(object) ? objectsOf(object) : [object]));
}

function isPackage(object: protobuf.ReflectionObject): object is protobuf.Namespace {
  return (
    object instanceof protobuf.Namespace && !(object instanceof protobuf.Type) && !(object instanceof protobuf.Service)
  );
}

function describeMessage(type: protobuf.Type): object {
  const maps = type.fieldsArray.filter((field) => field instanceof protobuf.MapField);
  return {
    name: type.name,
    field: type.fieldsArray.map((field) => describeField(field, type)),
    nestedType: [
      ...type.nestedArray.filter((object) => object instanceof protobuf.Type).map(describeMessage),
      ...maps.map((field) => describeEntry(field)),
    ],
    enumType: type.nestedArray.filter((object) => object instanceof protobuf.Enum).map(describeEnum),
    oneofDecl: type.oneofsArray.map(({ name }) => ({ name })),
  };
}

function describeField(field: protobuf.Field, type: protobuf.Type): object {
  const isMap = field instanceof protobuf.MapField;
  const described = isMap
    ? { type: MESSAGE, typeName: `${type.fullName}.${entryName(field)}` }
    : describeType(field.type, field.resolvedType);
  return {
    name: field.name,
    number: field.id,
    label: field.repeated || isMap ? REPEATED : OPTIONAL,
    ...described,
    ...(field.partOf === null ? {} : { oneofIndex: type.oneofsArray.indexOf(field.partOf) }),
    jsonName: jsonName(field.name),
  };
}

function describeType(name: string, resolved: protobuf.Type | protobuf.Enum | null): object {
  if (resolved instanceof protobuf.Type) return { type: MESSAGE, typeName: resolved.fullName };
  if (resolved instanceof protobuf.Enum) return { type: ENUM, typeName: resolved.fullName };
  return { type: scalarTypes[name] };
}

/** A map is a list of messages of key and value. */
function describeEntry(field: protobuf.MapField): object {
  return {
    name: entryName(field),
    field: [
      { name: 'key', number: 1, label: OPTIONAL, ...describeType(field.keyType, null), jsonName: 'key' },
      { name: 'value', number: 2, label: OPTIONAL, ...describeType(field.type, field.resolvedType), jsonName: 'value' },
    ],
    options: { mapEntry: true },
  };
}

/** `cc_model_filenames` -> `CcModelFilenamesEntry`. */
function entryName({ name }: { readonly name: string }): string {
  return `${name.replace(/(?:^|_)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())}Entry`;
}

function jsonName(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function describeEnum({ name, values }: protobuf.Enum): object {
  return { name, value: Object.entries(values).map(([key, number]) => ({ name: key, number })) };
}

function describeService({ name, methodsArray }: protobuf.Service): object {
  return {
    name,
    method: methodsArray.map((method) => ({
      name: method.name,
      inputType: method.resolvedRequestType!.fullName,
      outputType: method.resolvedResponseType!.fullName,
      clientStreaming: method.requestStream ?? false,
      serverStreaming: method.responseStream ?? false,
    })),
  };
}
