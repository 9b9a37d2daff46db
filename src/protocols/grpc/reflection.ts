import protobuf from 'protobufjs';
import type { BodyBudget } from '../body-buffer.js';
import { GRPC_INVALID_ARGUMENT, GRPC_NOT_FOUND, GRPC_OK } from '../status.js';
import { decode } from './admin-call.js';
import type { GrpcCall } from './engine.js';
import { type FileDescriptor, fileDescriptors } from './file-descriptor.js';
import { MessageType, type ProtoMessage, protoRoot } from './proto.js';
import { endWith, WholeMessages } from './whole-messages.js';

export const REFLECTION_SERVICES = ['grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection'];

/** Answers what tools ask about services and messages, from the files in `proto/`. */
export class Reflection {
  readonly #budget: BodyBudget;
  readonly #services: readonly string[];
  #files: ReadonlyMap<string, FileDescriptor> | null = null;

  /** @param services full names of those that are served */
  constructor(services: readonly string[], budget: BodyBudget) {
    this.#services = services;
    this.#budget = budget;
  }

  open(call: GrpcCall): void {
    call.owner = new ReflectionCall(this, call, this.#budget);
  }

  /** The `message_response` to a request. */
  answer(request: ProtoMessage): object {
    const { file_by_filename: file, file_containing_symbol: symbol, file_containing_extension: extension } = request;
    if (typeof file === 'string' && isSet(request, 'file_by_filename')) return this.#file(file, `file '${file}'`);
    if (typeof symbol === 'string' && isSet(request, 'file_containing_symbol')) return this.#symbol(symbol);
    if (isSet(request, 'file_containing_extension')) return this.#extension(extension as ProtoMessage);
    if (isSet(request, 'all_extension_numbers_of_type')) {
      return this.#extensionNumbers(request.all_extension_numbers_of_type as string);
    }
    if (isSet(request, 'list_services')) {
      return { list_services_response: { service: this.#services.map((name) => ({ name })) } };
    }
    return failure(GRPC_INVALID_ARGUMENT, 'the request asks for nothing');
  }

  #file(name: string, what: string): object {
    this.#files ??= fileDescriptors();
    const file = this.#files.get(name);
    if (file === undefined) return failure(GRPC_NOT_FOUND, `${what} is not known`);
    const needed = file.imports.map((imported) => this.#files!.get(imported)!);
    return { file_descriptor_response: { file_descriptor_proto: [file, ...needed].map(({ bytes }) => bytes) } };
  }

  #symbol(symbol: string): object {
    return this.#file(fileOf(symbol) ?? '', `symbol '${symbol}'`);
  }

  /** proto3 files have no extensions. */
  #extension({ containing_type, extension_number }: ProtoMessage): object {
    return failure(GRPC_NOT_FOUND, `extension ${extension_number} of '${containing_type}' is not known`);
  }

  #extensionNumbers(type: string): object {
    if (!(lookUp(type) instanceof protobuf.Type)) return failure(GRPC_NOT_FOUND, `type '${type}' is not known`);
    return { all_extension_numbers_response: { base_type_name: type, extension_number: [] } };
  }
}

/** Of a oneof's members only the one that came has a value of its own. */
function isSet(message: ProtoMessage, field: string): boolean {
  return Object.hasOwn(message, field);
}

function failure(error_code: number, error_message: string): object {
  return { error_response: { error_code, error_message } };
}

/** The file that declares a symbol: a type, service or enum, or a member of one. */
function fileOf(symbol: string): string | null {
  const found = lookUp(symbol);
  if (found !== null) return found.filename;
  const dot = symbol.lastIndexOf('.');
  const parent = dot < 0 ? null : lookUp(symbol.slice(0, dot));
  const name = symbol.slice(dot + 1);
  return parent !== null && hasMember(parent, name) ? parent.filename : null;
}

function lookUp(symbol: string): protobuf.ReflectionObject | null {
  const path = symbol.split('.');
  let found: protobuf.ReflectionObject = protoRoot();
  for (const name of path) {
    const next = found instanceof protobuf.Namespace ? found.get(name) : null;
    if (next === null) return null;
    found = next;
  }
  return found.filename === null ? null : found;
}

function hasMember(parent: protobuf.ReflectionObject, name: string): boolean {
  if (parent instanceof protobuf.Service) return Object.hasOwn(parent.methods, name);
  if (parent instanceof protobuf.Type) return Object.hasOwn(parent.fields, name);
  return parent instanceof protobuf.Enum && Object.hasOwn(parent.values, name);
}

/** One stream of questions, each answered at once; it reads no further while its client does not. */
class ReflectionCall extends WholeMessages {
  readonly #reflection: Reflection;
  readonly #request: MessageType;
  readonly #response: MessageType;

  constructor(reflection: Reflection, call: GrpcCall, budget: BodyBudget) {
    super(budget);
    this.#reflection = reflection;
    const packageName = call.path.slice(1, call.path.lastIndexOf('.'));
    this.#request = new MessageType(`${packageName}.ServerReflectionRequest`);
    this.#response = new MessageType(`${packageName}.ServerReflectionResponse`);
  }

  onMessage(call: GrpcCall, message: Buffer): void {
    try {
      const request = decode(this.#request, message);
      const answer = { valid_host: request.host, original_request: request, ...this.#reflection.answer(request) };
      call.send(this.#response.encode(answer));
    } catch (error) {
      endWith(call, error);
    }
    if (!call.isWritable) call.pause();
  }

  override onDrain(call: GrpcCall): void {
    call.resume();
  }

  onHalfClose(call: GrpcCall): void {
    call.end(GRPC_OK, '');
  }

  protected ended(): void {}
}
