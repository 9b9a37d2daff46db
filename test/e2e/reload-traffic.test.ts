import { readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BytesClient } from '../protocols/grpc/engine-fixture.js';
import { floats, infer as inferGrpc, oneInput, openStream, streamResponses } from '../protocols/grpc/real-server.js';
import { encodeRequest } from '../protocols/grpc/twin.js';
import { RawClient } from '../protocols/http/raw-client.js';
import {
  briefly,
  countOf,
  load,
  loadedLine,
  plus,
  plusConfig,
  plusFiles,
  putFile,
  statesOf,
  unload,
} from './control.js';
import { memoryUsed } from './metrics.js';
import { binaryOutputs, bytesOf, headOf, infer, outputsOf } from './requests.js';
import { onEachEngine, ServerProcess } from './server.js';
import { messageOf, SocketClient } from './socket-client.js';
import { until } from './until.js';

const RELOADS = 30;
const SLOW = 'slow bodies';
/** Rows of one request: where two models answered one request, its rows show it. */
const ROWS = 3;

const inputsOf = (first: number) => Array.from({ length: ROWS }, (_, row) => first + row);

function request(first: number, binary: boolean) {
  const tensor = { name: 'INPUT0', datatype: 'FP32' as const, shape: [ROWS, 1], data: inputsOf(first), binary };
  return infer('adder', [tensor], binary ? { head: binaryOutputs } : {});
}

const grpcRequest = (first: number) => oneInput('adder', 'FP32', [ROWS, 1], floats(...inputsOf(first)));

/** Clients that ask without a pause, each by its own way, and look at every answer. */
class Traffic {
  readonly asked: Record<string, number> = {};
  readonly wrong: string[] = [];
  /** What was added, in the order in which it was first seen. */
  readonly added: number[] = [];
  readonly #server: ServerProcess;
  readonly #versions: readonly number[];
  #lanes: Promise<void>[] = [];
  #isOver = false;
  /** Loads that had been when the slow client sent half of its body. */
  #halfwayAt = 0;

  /** @param versions that may be added */
  constructor(server: ServerProcess, versions: readonly number[]) {
    this.#server = server;
    this.#versions = versions;
  }

  begin(): void {
    this.#lanes = [this.#http(false), this.#http(true), this.#slowBodies(), this.#unary(), this.#stream()];
    this.#lanes.push(this.#socket('/v2/models/adder/infer'), this.#socket('/v2/ws'));
  }

  /** Resolves when every lane was answered at least once more, and the slow one waits in the middle of a body. */
  async beat(): Promise<void> {
    const { [SLOW]: _, ...before } = this.asked;
    const areAnswered = () => Object.keys(before).every((way) => this.asked[way]! > before[way]!);
    await until(
      'every client is answered',
      () => this.wrong.length > 0 || (areAnswered() && this.#halfwayAt === this.#loads()),
    );
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#lanes);
  }

  #loads(): number {
    return countOf(this.#server, loadedLine('adder')) + countOf(this.#server, loadedLine('adder', 2));
  }

  /** Asks one after the other until the traffic is over. */
  async #run(way: string, ask: (first: number) => Promise<readonly unknown[]>): Promise<void> {
    this.asked[way] = 0;
    for (let first = 1; !this.#isOver; first = (first % 1000) + 1) {
      try {
        this.#check(way, first, await ask(first));
      } catch (error) {
        this.wrong.push(`${way}: ${error}`);
        return;
      }
    }
  }

  #check(way: string, first: number, values: readonly unknown[]): void {
    this.asked[way] = this.asked[way]! + 1;
    const added = Number(values[0]) - first;
    if (!this.added.includes(added)) this.added.push(added);
    const expected = inputsOf(first + added);
    if (this.#versions.includes(added) && String(values) === String(expected)) return;
    this.wrong.push(`${way}: ${values} for ${inputsOf(first)}`);
  }

  async #http(binary: boolean): Promise<void> {
    const client = await RawClient.open(this.#server.httpPort);
    await this.#run(binary ? 'http binary' : 'http json', async (first) => {
      const answer = await client.ask(bytesOf(request(first, binary)));
      return outputsOf(answer!).OUTPUT0!;
    });
    client.destroy();
  }

  /** Half of a request comes before a load begins, the rest when it may be over. */
  async #slowBodies(): Promise<void> {
    const client = await RawClient.open(this.#server.httpPort);
    await this.#run(SLOW, async (first) => {
      const asked = request(first, true);
      const before = this.#loads();
      const half = Math.floor(asked.body.length / 2);
      await client.write(Buffer.concat([Buffer.from(headOf(asked)), asked.body.subarray(0, half)]));
      this.#halfwayAt = before;
      await until('another model serves', () => this.#loads() > before || this.#isOver);
      return outputsOf((await client.ask(asked.body.subarray(half)))!).OUTPUT0!;
    });
    client.destroy();
  }

  async #unary(): Promise<void> {
    const client = new BytesClient(this.#server.grpcPort);
    await this.#run('grpc', async (first) => {
      const { response, details } = await inferGrpc(client, grpcRequest(first));
      if (response === null) throw new Error(details);
      return floatsOf(response.raw_output_contents[0]!);
    });
    client.close();
  }

  async #stream(): Promise<void> {
    const client = new BytesClient(this.#server.grpcPort);
    const stream = openStream(client);
    let ended = '';
    void stream.outcome.then(({ code, details }) => {
      ended = `the stream ended with ${code} ${details}`;
    });
    await this.#run('grpc stream', async (first) => {
      const before = stream.messages.length;
      stream.send(encodeRequest(grpcRequest(first)));
      await until('the stream answers', () => stream.messages.length > before || ended !== '');
      const { error_message, infer_response } = streamResponses(stream.messages.slice(before))[0]!;
      if (error_message !== '') throw new Error(error_message);
      return floatsOf(infer_response.raw_output_contents[0]!);
    });
    stream.halfClose();
    await stream.outcome;
    client.close();
  }

  async #socket(path: string): Promise<void> {
    const client = await SocketClient.open(this.#server.httpPort, path);
    const head = { model_name: 'adder' };
    await this.#run(`websocket ${path}`, async (first) => {
      const tensor = { name: 'INPUT0', datatype: 'FP32' as const, shape: [ROWS, 1], data: inputsOf(first) };
      const { values, error } = await client.ask(messageOf(infer('adder', [tensor], { head })));
      if (error !== undefined) throw new Error(error);
      return values.OUTPUT0 as number[];
    });
    client.webSocket.terminate();
  }
}

function floatsOf(bytes: Uint8Array): number[] {
  return [...new Float32Array(Uint8Array.from(bytes).buffer)];
}

/** Threads of the server's process. */
function threadsOf(server: ServerProcess): number {
  return readdirSync(`/proc/${server.main.child.pid}/task`).length;
}

onEachEngine((engine) => {
  let server: ServerProcess;

  afterEach(() => server.stop());

  describe('under traffic by every protocol', () => {
    beforeEach(async () => {
      server = await ServerProcess.start({
        engine,
        models: [],
        files: plusFiles('adder', 1, 'dynamic_batching { }'),
        flags: ['--model-control-mode=explicit', '--load-model=adder'],
      });
    });

    /** Nothing of the model is left, and nothing of those before it. */
    async function expectNothingLeft(): Promise<void> {
      await unload(server, 'adder');
      await until('all memory is given back', async () => (await memoryUsed(server)) === 0);
      expect(server.main.output).not.toMatch(/bug in Conch|[Aa]ssert|failed/);
    }

    test(`a model is reloaded ${RELOADS} times, and every request is answered right`, async () => {
      const threads = threadsOf(server);
      const constants = Array.from({ length: RELOADS + 1 }, (_, nth) => 1 + nth);
      const traffic = new Traffic(server, constants);
      traffic.begin();
      await until('all have begun', () => Object.keys(traffic.asked).length === 7);
      await traffic.beat();
      for (const constant of constants.slice(1)) {
        await putFile(server, 'adder/1/model.onnx', plus(constant));
        expect(briefly(await load(server, 'adder'))).toBe('200');
        await traffic.beat();
      }
      await traffic.end();
      expect(traffic.wrong).toEqual([]);
      expect(traffic.added).toEqual(constants);
      expect(traffic.asked[SLOW]).toBeGreaterThan(RELOADS);
      expect(countOf(server, loadedLine('adder'))).toBe(RELOADS + 1);
      await until('the threads of old ones are gone', () => threadsOf(server) <= threads);
      await expectNothingLeft();
    }, 120_000);

    test('the version is switched by policy, and every answer is of one of the two', async () => {
      const threads = threadsOf(server);
      const traffic = new Traffic(server, [1, 200]);
      traffic.begin();
      await until('all have begun', () => Object.keys(traffic.asked).length === 7);
      await traffic.beat();
      for (let turn = 0; turn < 5; turn++) {
        await putFile(server, 'adder/2/model.onnx', plus(200));
        expect(briefly(await load(server, 'adder'))).toBe('200');
        await traffic.beat();
        await rm(`${server.repository}/adder/2`, { recursive: true });
        expect(briefly(await load(server, 'adder'))).toBe('200');
        await traffic.beat();
      }
      const policy = 'dynamic_batching { } version_policy { specific { versions: [ 2 ] } }';
      await putFile(server, 'adder/2/model.onnx', plus(200));
      await putFile(server, 'adder/config.pbtxt', plusConfig('adder', policy));
      expect(briefly(await load(server, 'adder'))).toBe('200');
      await traffic.beat();
      await traffic.end();
      expect(traffic.wrong).toEqual([]);
      expect(traffic.added).toEqual([1, 200]);
      await until('the old one is gone', async () => (await statesOf(server, 'adder'))[0] !== '1 UNLOADING');
      expect(await statesOf(server, 'adder')).toEqual(['1 UNAVAILABLE: unloaded', '2 READY']);
      await until('the threads of old ones are gone', () => threadsOf(server) <= threads);
      await expectNothingLeft();
    }, 60_000);
  });
});
