import protobuf from 'protobufjs';
import 'protobufjs/ext/descriptor.js';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { MessageType, PROTO_FILES, protoRoot } from '../../../src/protocols/grpc/proto.js';
import { type BytesClient, status } from './engine-fixture.js';
import { ask, infer, RealServer, SERVICE, simpleRequest } from './real-server.js';
import { field } from './twin.js';

/** Of the bytes of a FileDescriptorSet; what `protobufjs/ext/descriptor` adds. */
const { fromDescriptor } = protobuf.Root as unknown as { fromDescriptor(bytes: Uint8Array): protobuf.Root };

let server: RealServer;
let client: BytesClient;

beforeAll(async () => {
  server = await RealServer.start('--grpc-engine=grpc-js', '--id=test');
  client = server.client();
});

afterAll(() => server?.stop());

async function http(path: string): Promise<Record<string, unknown>> {
  const response = await fetch(`http://127.0.0.1:${server.httpPort}${path}`);
  return (await response.json()) as Record<string, unknown>;
}

describe('the inference service tells', () => {
  test('that it is live and ready, and which models are', async () => {
    expect(await ask(client, 'ServerLive')).toEqual({ live: true });
    expect(await ask(client, 'ServerReady')).toEqual({ ready: true });
    expect(await ask(client, 'ModelReady', { name: 'simple_b64' })).toEqual({ ready: true });
    expect(await ask(client, 'ModelReady', { name: 'multi_version', version: '2' })).toEqual({ ready: true });
    // A false is not sent.
    expect(await ask(client, 'ModelReady', { name: 'none' })).toEqual({});
    expect(await ask(client, 'ModelReady', { name: 'multi_version', version: '9' })).toEqual({});
    await expect(ask(client, 'ModelReady', { name: 'multi_version', version: 'x' })).rejects.toThrow(
      `${status.INVALID_ARGUMENT}: `,
    );
  });

  test('its metadata as over HTTP', async () => {
    expect(await ask(client, 'ServerMetadata')).toEqual(await http('/v2'));
  });

  test('the metadata of models as over HTTP', async () => {
    for (const name of ['simple_b64', 'identity_bytes', 'reshape_model', 'multi_version']) {
      const { inputs, outputs, ...rest } = await ask<Record<string, unknown>>(client, 'ModelMetadata', { name });
      const numbers = (tensors: unknown) =>
        (tensors as { shape: string[] }[]).map((tensor) => ({ ...tensor, shape: tensor.shape.map(Number) }));
      const plain = { ...rest, inputs: numbers(inputs), outputs: numbers(outputs) };
      expect(plain).toEqual(await http(`/v2/models/${name}`));
    }
  });

  test('the configuration of models', async () => {
    const answer = await ask(client, 'ModelConfig', { name: 'slow_timeout' });
    expect(answer).toMatchObject({
      config: {
        name: 'slow_timeout',
        max_batch_size: 4,
        backend: 'onnxruntime',
        input: [{ data_type: 'TYPE_FP32', dims: ['1'] }],
      },
    });
  });

  test('statistics as over HTTP', async () => {
    interface Statistics<Count> {
      readonly model_stats: readonly {
        readonly name: string;
        readonly inference_count: Count;
        readonly inference_stats: { readonly success: { readonly count: Count; readonly ns: Count } };
        readonly batch_stats: readonly unknown[];
      }[];
    }
    await infer(client, simpleRequest(1, 1));
    const answer = await ask<Statistics<string>>(client, 'ModelStatistics', { name: 'simple_b64' });
    const [mine] = answer.model_stats;
    const [expected] = ((await http('/v2/models/simple_b64/stats')) as unknown as Statistics<number>).model_stats;
    const { count, ns } = mine!.inference_stats.success;
    expect({ count: Number(count), ns: Number(ns) }).toEqual(expected!.inference_stats.success);
    expect(Number(mine!.inference_count)).toBe(expected!.inference_count);
    expect(mine!.batch_stats).toHaveLength(expected!.batch_stats.length);
    const all = await ask<Statistics<string>>(client, 'ModelStatistics');
    expect(all.model_stats.map(({ name }) => name)).toContain('identity_fp32');
    await expect(ask(client, 'ModelStatistics', { name: 'none' })).rejects.toThrow(
      "3: requested model 'none' is not available",
    );
  });

  test('its repository', async () => {
    const { models } = await ask<{ models: unknown[] }>(client, 'RepositoryIndex', { ready: true });
    expect(models).toContainEqual({ name: 'simple_b64', version: '1', state: 'READY' });
    await expect(ask(client, 'RepositoryIndex', { repository_name: 'x' })).rejects.toThrow(
      "12: 'repository_name' specification is not supported",
    );
  });
});

describe('what is not there yet is UNIMPLEMENTED, with a sentence', () => {
  test.each(
    protoRoot()
      .lookupService('inference.GRPCInferenceService')
      .methodsArray.map(({ name }) => name),
  )('%s answers or says why not', async (name) => {
    const { code, details } = await client.unary(`${SERVICE}/${name}`, Buffer.alloc(0));
    if (code === status.UNIMPLEMENTED) expect(details.split(' ').length).toBeGreaterThan(5);
    else expect([status.OK, status.NOT_FOUND, status.UNAVAILABLE]).toContain(code);
  });

  test('a load names the model, as Triton writes it and as KServe does', async () => {
    const text = '14: explicit model load / unload is not allowed if polling is enabled';
    await expect(ask(client, 'RepositoryModelLoad', { model_name: 'm' })).rejects.toThrow(text);
    // KServe: RepositoryModelLoadRequest { model_name = 1 }.
    const { code, details } = await client.unary(`${SERVICE}/RepositoryModelLoad`, field(1, 2, Buffer.from('m')));
    expect(`${code}: ${details}`).toBe(text);
    await expect(ask(client, 'RepositoryModelLoad', { model_name: 'm', repository_name: 'r' })).rejects.toThrow(
      "12: 'repository_name' specification is not supported",
    );
  });

  test('an unknown method too', async () => {
    expect((await client.unary(`${SERVICE}/Nothing`, Buffer.alloc(0))).code).toBe(status.UNIMPLEMENTED);
  });
});

test('an administrative message that is none is INVALID_ARGUMENT', async () => {
  const { code, details } = await client.unary(`${SERVICE}/ModelMetadata`, Buffer.from([0x0a, 0x05]));
  expect(code).toBe(status.INVALID_ARGUMENT);
  expect(details).toMatch(/^the message cannot be read: /);
});

test('a call that ends without its message is told so', async () => {
  for (const name of ['ServerLive', 'ModelInfer']) {
    const stream = client.open(`${SERVICE}/${name}`);
    stream.halfClose();
    expect(await stream.outcome).toMatchObject({
      code: status.UNIMPLEMENTED,
      details: `no request message came for ${SERVICE}/${name}`,
    });
  }
});

describe('health', () => {
  const requestType = new MessageType('grpc.health.v1.HealthCheckRequest');
  const responseType = new MessageType('grpc.health.v1.HealthCheckResponse');
  const statusOf = (message: Buffer) => responseType.decode(message).status;

  test('Check tells whether the server is ready, whatever service is named', async () => {
    for (const service of ['', 'inference.GRPCInferenceService', 'whatever']) {
      const { code, messages } = await client.unary('/grpc.health.v1.Health/Check', requestType.encode({ service }));
      expect([code, messages.map(statusOf)]).toEqual([status.OK, [1]]);
    }
  });

  test('Watch tells at once, and again when the server goes down', async () => {
    const ending = await RealServer.start('--grpc-engine=grpc-js');
    const stream = ending.client().open('/grpc.health.v1.Health/Watch');
    stream.send(requestType.encode({}));
    stream.halfClose();
    await vi.waitFor(() => expect(stream.messages.map(statusOf)).toEqual([1]));
    ending.signal();
    expect((await stream.outcome).code).toBe(status.UNAVAILABLE);
    expect(stream.messages.map(statusOf)).toEqual([1, 2]);
    expect(await ending.stop()).toBe(0);
  });
});

describe.each(['v1', 'v1alpha'])('reflection %s', (version) => {
  const requestType = new MessageType(`grpc.reflection.${version}.ServerReflectionRequest`);
  const responseType = new MessageType(`grpc.reflection.${version}.ServerReflectionResponse`);

  interface Answer {
    readonly original_request: Record<string, unknown>;
    readonly file_descriptor_response?: { file_descriptor_proto: Buffer[] };
    readonly all_extension_numbers_response?: { base_type_name: string; extension_number: number[] };
    readonly list_services_response?: { service: { name: string }[] };
    readonly error_response?: { error_code: number; error_message: string };
  }

  async function reflect(...requests: object[]): Promise<Answer[]> {
    const stream = client.open(`/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`);
    for (const request of requests) stream.send(requestType.encode(request));
    stream.halfClose();
    const { code, messages } = await stream.outcome;
    expect(code).toBe(status.OK);
    return messages.map((message) => responseType.decode(message) as unknown as Answer);
  }

  test('lists the services', async () => {
    const [answer] = await reflect({ list_services: '', host: 'h' });
    expect(answer!.list_services_response!.service.map(({ name }) => name)).toEqual([
      'inference.GRPCInferenceService',
      'grpc.health.v1.Health',
      'nvidia.inferenceserver.GRPCService',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
    ]);
    expect(answer!.original_request).toMatchObject({ host: 'h' });
  });

  test('finds every symbol in its file, which comes with what it imports', async () => {
    const symbols = {
      'inference.GRPCInferenceService': ['grpc_service.proto', 'model_config.proto'],
      'inference.GRPCInferenceService.ModelInfer': ['grpc_service.proto', 'model_config.proto'],
      'inference.ModelInferRequest.InferInputTensor': ['grpc_service.proto', 'model_config.proto'],
      'inference.ModelInferRequest.raw_input_contents': ['grpc_service.proto', 'model_config.proto'],
      'inference.ModelConfig': ['model_config.proto'],
      'inference.DataType': ['model_config.proto'],
      'grpc.health.v1.Health': ['health.proto'],
      'grpc.reflection.v1.ServerReflection': ['reflection_v1.proto'],
    };
    const answers = await reflect(
      ...Object.keys(symbols).map((file_containing_symbol) => ({ file_containing_symbol })),
    );
    const names = answers.map(({ file_descriptor_response }) =>
      file_descriptor_response!.file_descriptor_proto.map(nameOf),
    );
    expect(names).toEqual(Object.values(symbols));
  });

  test('what it does not know is NOT_FOUND, and the stream goes on', async () => {
    const answers = await reflect(
      { file_containing_symbol: 'inference.Nothing' },
      { file_containing_symbol: '' },
      { file_by_filename: 'nothing.proto' },
      { file_containing_extension: { containing_type: 'inference.ModelConfig', extension_number: 7 } },
      { all_extension_numbers_of_type: 'nothing' },
      {},
      { all_extension_numbers_of_type: 'inference.ModelConfig' },
    );
    const codes = answers.map(({ error_response }) => error_response?.error_code);
    expect(codes).toEqual([5, 5, 5, 5, 5, 3, undefined]);
    expect(answers.at(-1)!.all_extension_numbers_response).toMatchObject({ base_type_name: 'inference.ModelConfig' });
  });

  test('its files say what the .proto files say', async () => {
    const answers = await reflect(...PROTO_FILES.map((file_by_filename) => ({ file_by_filename })));
    const files = answers.map(({ file_descriptor_response }) => file_descriptor_response!.file_descriptor_proto[0]!);
    // protobufjs' own reader of descriptors makes of them what its parser makes of the texts.
    const read = fromDescriptor(Buffer.concat(files.map((file) => field(1, 2, file)))).resolveAll() as protobuf.Root;
    const v1 = ['ServerStatus', 'ModelConfig', 'InferRequestHeader'].map((name) => `nvidia.inferenceserver.${name}`);
    for (const name of ['inference.ModelInferRequest', 'inference.ModelConfig', 'inference.ModelStatistics', ...v1]) {
      const [mine, theirs] = [protoRoot().lookupType(name), read.lookupType(name)];
      expect(summary(theirs)).toEqual(summary(mine));
    }
  });
});

function nameOf(file: Buffer): string {
  return file.toString('utf8', 2, 2 + file[1]!);
}

/** Fields of a type and of the types in it: name, number, type. */
function summary(type: protobuf.Type): unknown {
  const fields = type.fieldsArray.map((field) => {
    const kind = field instanceof protobuf.MapField ? `map<${field.keyType},` : field.repeated ? 'repeated ' : '';
    return `${field.id} ${kind}${field.resolvedType?.fullName ?? field.type} ${field.protoName} ${field.partOf?.name ?? ''}`;
  });
  const nested = type.nestedArray.filter((object) => object instanceof protobuf.Type).map(summary);
  return [type.fullName, fields.sort(), nested];
}
