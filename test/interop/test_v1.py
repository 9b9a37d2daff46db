"""The protocol of TensorRT Inference Server 19.11, as its clients and its documentation use it, with the models that it came with.

No client of that release can be had any more: these are its calls, by http.client and by grpcio, whose messages come from reflection.
"""

import os
import re
import signal
import struct
import subprocess
from contextlib import contextmanager
from multiprocessing import shared_memory
from pathlib import Path
from shutil import copytree
from typing import Iterator

import grpc
import numpy as np
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from raw import Answer, get, send
from server import ROOT, Server, await_ready, free_ports

CLASSIC = ROOT.parent / "shared/models/r19.11"
SERVICE = "nvidia.inferenceserver.GRPCService"
SUCCESS, INVALID_ARG, UNAVAILABLE = 1, 5, 6
START, END = 1, 2

pytestmark = pytest.mark.skipif(not CLASSIC.is_dir(), reason=f"the models of 19.11 are not in {CLASSIC}")


@contextmanager
def trtserver(repository: Path, folder: Path, *flags: str) -> Iterator[Server]:
    server = Server(*free_ports(3))
    ports = [f"--http-port={server.http_port}", f"--grpc-port={server.grpc_port}", f"--metrics-port={server.metrics_port}"]
    cache = f"--backend-config=tensorflow,cache-directory={folder / 'cache'}"
    command = ["node", str(ROOT / "dist/src/trtserver.js"), f"--model-store={repository}", *ports, cache, *flags]
    log = folder / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, "TENSORRT_SERVER_VERSION": "1.8.0"}
        )
    try:
        await_ready(process, server.http_port, log)
        yield server
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def engines(request) -> list[str]:
    return [f"--{kind}-engine={request.config.getoption(f'--{kind}-engine')}" for kind in ("http", "grpc")]


@pytest.fixture(scope="module")
def classic(tmp_path_factory, request) -> Iterator[Server]:
    """`simple` and `simple_string` of that release, and beside them what has sequences and labels."""
    folder = tmp_path_factory.mktemp("classic")
    for model in ("simple", "simple_string"):
        copytree(CLASSIC / model, folder / "models" / model)
    for source in ("examples/models/accumulator", "examples/models/digits"):
        copytree(ROOT / source, folder / "models" / Path(source).name)
    with trtserver(folder / "models", folder, "--allow-client-shm=true", *engines(request)) as running:
        yield running


class Messages:
    """The service of that release as a client has it that knows nothing but the address."""

    def __init__(self, server: Server):
        self.channel = grpc.insecure_channel(server.grpc_url)
        self.pool = DescriptorPool(ProtoReflectionDescriptorDatabase(self.channel))
        self.service = self.pool.FindServiceByName(SERVICE)

    def new(self, name: str, **fields):
        return GetMessageClass(self.pool.FindMessageTypeByName(f"nvidia.inferenceserver.{name}"))(**fields)

    def _codec(self, method: str) -> dict:
        answer = GetMessageClass(self.service.methods_by_name[method].output_type)
        return {"request_serializer": lambda message: message.SerializeToString(), "response_deserializer": answer.FromString}

    def call(self, method: str, request):
        return self.channel.unary_unary(f"/{SERVICE}/{method}", **self._codec(method))(request, timeout=30)

    def stream(self, requests):
        return self.channel.stream_stream(f"/{SERVICE}/StreamInfer", **self._codec("StreamInfer"))(requests, timeout=30)


@pytest.fixture(scope="module")
def messages(classic) -> Iterator[Messages]:
    connected = Messages(classic)
    yield connected
    connected.channel.close()


def header(batch: int, inputs: list[str], outputs: list[str], more: str = "") -> dict:
    text = f"batch_size: {batch} {' '.join(f'input {{ {each} }}' for each in inputs)} {' '.join(f'output {{ {each} }}' for each in outputs)} {more}"
    return {"NV-InferRequest": text, "Content-Type": "application/octet-stream", "User-Agent": "libcurl-agent/1.0"}


BOTH_INPUTS = ['name: "INPUT0"', 'name: "INPUT1"']
BOTH_OUTPUTS = ['name: "OUTPUT0"', 'name: "OUTPUT1"']


def status_of(answer: Answer) -> str:
    """Without the id of the request, which is above 0, and without the backslashes of quotes."""
    text, request_id = re.fullmatch(r"(.*) request_id: (\d+)", answer.headers["NV-Status"]).groups()
    assert int(request_id) > 0
    return text.replace("\\'", "'")


def encode_strings(texts: list[str]) -> bytes:
    return b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)


def decode_strings(content: bytes) -> list[str]:
    texts = []
    while content:
        (length,) = struct.unpack_from("<I", content)
        texts.append(content[4 : 4 + length].decode())
        content = content[4 + length :]
    return texts


def sizes_of(answer: Answer) -> list[int]:
    return [int(size) for size in re.findall(r"batch_byte_size: (\d+)", answer.headers["NV-InferResponse"])]


def test_health_and_status(classic, messages):
    for mode in ("live", "ready"):
        answer = get(classic, f"/api/health/{mode}")
        assert (answer.status, answer.body, status_of(answer)) == (200, b"", 'code: SUCCESS server_id: "inference:0"')
        assert messages.call("Health", messages.new("HealthRequest", mode=mode)).health
    text = get(classic, "/api/status/simple").body.decode()
    assert text.startswith('id: "inference:0"\nversion: "1.8.0"\nuptime_ns: ')
    for part in ('platform: "tensorflow_graphdef"', "max_batch_size: 8", "ready_state: MODEL_READY", "ready_state: SERVER_READY"):
        assert part in text
    binary = get(classic, "/api/status/simple?format=binary")
    assert binary.headers["Content-Type"] == "application/octet-stream"
    over_http = messages.new("ServerStatus").FromString(binary.body)
    over_grpc = messages.call("Status", messages.new("StatusRequest", model_name="simple"))
    assert over_grpc.request_status.code == SUCCESS
    for status in (over_http, over_grpc.server_status):
        config = status.model_status["simple"].config
        assert [(each.name, list(each.dims)) for each in config.input] == [("INPUT0", [16]), ("INPUT1", [16])]
        assert list(status.model_status["simple"].version_status) == [1]
    assert set(messages.call("Status", messages.new("StatusRequest")).server_status.model_status) == {
        "simple",
        "simple_string",
        "accumulator",
        "digits",
    }


@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("version", ["", "/1"])
def test_simple_over_http(classic, batch, version):
    a = np.arange(16 * batch, dtype=np.int32)
    b = np.ones(16 * batch, dtype=np.int32)
    body = a.tobytes() + b.tobytes()
    answer = send(classic, "POST", f"/api/infer/simple{version}?format=binary", body, header(batch, BOTH_INPUTS, BOTH_OUTPUTS, "id: 7"))
    assert answer.status == 200
    assert answer.headers["NV-InferResponse"] == (
        f'model_name: "simple" model_version: 1 batch_size: {batch}'
        f' output {{ name: "OUTPUT0" raw {{ dims: 16 batch_byte_size: {64 * batch} }} }}'
        f' output {{ name: "OUTPUT1" raw {{ dims: 16 batch_byte_size: {64 * batch} }} }} id: 7'
    )
    size = 64 * batch
    assert np.array_equal(np.frombuffer(answer.body[:size], np.int32), a + b)
    assert np.array_equal(np.frombuffer(answer.body[size : 2 * size], np.int32), a - b)


def test_the_header_is_at_the_end_of_the_body_too(classic, messages):
    body = bytes(128)
    binary = send(classic, "POST", "/api/infer/simple?format=binary", body, header(1, BOTH_INPUTS, BOTH_OUTPUTS))
    read = messages.new("InferResponseHeader").FromString(binary.body[128:])
    assert (read.model_name, read.batch_size, [output.name for output in read.output]) == ("simple", 1, ["OUTPUT0", "OUTPUT1"])
    text = send(classic, "POST", "/api/infer/simple", body, header(1, BOTH_INPUTS, BOTH_OUTPUTS))
    assert text.body[128:].startswith(b'model_name: "simple"\nmodel_version: 1\nbatch_size: 1\noutput {\n  name: "OUTPUT0"\n')


@pytest.mark.parametrize("batch", [1, 8])
def test_simple_string_over_http(classic, batch):
    a, b = list(range(16 * batch)), [1] * (16 * batch)
    parts = [encode_strings([str(number) for number in numbers]) for numbers in (a, b)]
    inputs = [f'name: "INPUT{nth}" dims: 16 batch_byte_size: {len(part)}' for nth, part in enumerate(parts)]
    answer = send(classic, "POST", "/api/infer/simple_string", b"".join(parts), header(batch, inputs, BOTH_OUTPUTS))
    assert answer.status == 200, answer.headers
    first, second = sizes_of(answer)
    assert [int(text) for text in decode_strings(answer.body[:first])] == [x + y for x, y in zip(a, b)]
    assert [int(text) for text in decode_strings(answer.body[first : first + second])] == [x - y for x, y in zip(a, b)]


def simple_request(messages: Messages, id: int, a: np.ndarray, b: np.ndarray, batch: int = 1, model: str = "simple"):
    meta = {
        "id": id,
        "batch_size": batch,
        "input": [{"name": "INPUT0"}, {"name": "INPUT1"}],
        "output": [{"name": "OUTPUT0"}, {"name": "OUTPUT1"}],
    }
    raw = [a.astype(np.int32).tobytes(), b.astype(np.int32).tobytes()]
    return messages.new("InferRequest", model_name=model, model_version=-1, meta_data=meta, raw_input=raw)


@pytest.mark.parametrize("batch", [1, 8])
def test_simple_over_grpc(messages, batch):
    a, b = np.arange(16 * batch), np.full(16 * batch, 3)
    answer = messages.call("Infer", simple_request(messages, 5, a, b, batch))
    assert (answer.request_status.code, answer.meta_data.id, answer.meta_data.batch_size) == (SUCCESS, 5, batch)
    assert np.array_equal(np.frombuffer(answer.raw_output[0], np.int32), a + b)
    assert np.array_equal(np.frombuffer(answer.raw_output[1], np.int32), a - b)


def test_simple_string_over_grpc(messages):
    parts = [encode_strings([str(number) for number in numbers]) for numbers in (range(16), [-5] * 16)]
    meta = {
        "batch_size": 1,
        "input": [{"name": f"INPUT{nth}", "batch_byte_size": len(part)} for nth, part in enumerate(parts)],
        "output": [{"name": "OUTPUT0"}],
    }
    request = messages.new("InferRequest", model_name="simple_string", model_version=-1, meta_data=meta, raw_input=parts)
    answer = messages.call("Infer", request)
    assert answer.request_status.code == SUCCESS, answer
    assert decode_strings(answer.raw_output[0]) == [str(number - 5) for number in range(16)]


def test_a_stream_answers_in_order_with_errors_in_their_turn(messages):
    a = np.arange(16)
    requests = [simple_request(messages, id, a, np.full(16, id), model="nobody" if id == 3 else "simple") for id in range(1, 6)]
    answers = list(messages.stream(iter(requests)))
    assert [answer.meta_data.id for answer in answers] == [1, 2, 3, 4, 5]
    assert [answer.request_status.code for answer in answers] == [1, 1, UNAVAILABLE, 1, 1]
    assert answers[2].request_status.msg.startswith("Inference request for unknown model")
    for id in (1, 2, 4, 5):
        assert np.array_equal(np.frombuffer(answers[id - 1].raw_output[0], np.int32), a + id)


def test_two_sequences_on_one_stream(messages):
    def step(id: int, sequence: int, value: int, flags: int = 0):
        meta = {"id": id, "batch_size": 1, "correlation_id": sequence, "flags": flags}
        named = {"input": [{"name": "INPUT"}], "output": [{"name": "OUTPUT"}]}
        raw = [struct.pack("<i", value)]
        return messages.new("InferRequest", model_name="accumulator", model_version=-1, meta_data={**meta, **named}, raw_input=raw)

    steps = [step(1, 1000, 1, START), step(2, 1001, 10, START), step(3, 1000, 2), step(4, 1001, 20), step(5, 1000, 3, END), step(6, 1001, 30, END)]
    answers = list(messages.stream(iter(steps)))
    assert [answer.request_status.msg for answer in answers] == [""] * 6
    assert [struct.unpack("<i", answer.raw_output[0])[0] for answer in answers] == [1, 10, 3, 30, 6, 60]
    late = list(messages.stream(iter([step(7, 1000, 4)])))[0]
    assert late.request_status.code == INVALID_ARG
    assert late.request_status.msg.startswith("inference request for sequence 1000 to model 'accumulator' must specify the START flag")


def test_classes_with_labels(classic):
    picture = np.zeros((1, 8, 8), np.float32)
    answer = send(classic, "POST", "/api/infer/digits", picture.tobytes(), header(1, ['name: "image"'], ['name: "scores" cls { count: 3 }']))
    assert answer.status == 200
    found = re.findall(r'cls { (?:idx: (\d+) )?value: ([-\d.e]+) label: "(\w+)" }', answer.headers["NV-InferResponse"])
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    assert len(found) == 3
    assert [label for _, _, label in found] == [names[int(index or 0)] for index, _, _ in found]
    values = [float(value) for _, value, _ in found]
    assert values == sorted(values, reverse=True)


def test_shared_memory_in_and_out(classic, messages):
    """The region as `register` names it: a slash in front of the key makes two in the URL."""
    region = shared_memory.SharedMemory(create=True, size=256)
    try:
        numbers = np.ndarray(64, np.int32, region.buf)
        numbers[:32] = np.concatenate([np.arange(16), np.full(16, 2)])
        path = "/api/sharedmemorycontrol"
        register = send(classic, "POST", f"{path}/register/data//{region.name}/0/256")
        assert (register.status, status_of(register)) == (200, 'code: SUCCESS server_id: "inference:0"')
        again = send(classic, "POST", f"{path}/register/data//{region.name}/0/256")
        assert again.status == 400
        assert "code: ALREADY_EXISTS" in status_of(again)
        assert "'data' already in manager" in status_of(again)
        listed = messages.call("SharedMemoryControl", messages.new("SharedMemoryControlRequest", status={}))
        assert [each.name for each in listed.shared_memory_status.shared_memory_region] == ["data"]
        place = lambda offset: f'shared_memory {{ name: "data" offset: {offset} byte_size: 64 }}'
        inputs = [f'name: "INPUT0" {place(0)}', f'name: "INPUT1" {place(64)}']
        outputs = [f'name: "OUTPUT0" {place(128)}', f'name: "OUTPUT1" {place(192)}']
        answer = send(classic, "POST", "/api/infer/simple", b"", header(1, inputs, outputs))
        assert answer.status == 200, answer.headers
        assert sizes_of(answer) == [64, 64]
        assert answer.body.startswith(b'model_name: "simple"')
        assert numbers[32:48].tolist() == list(range(2, 18))
        assert numbers[48:].tolist() == list(range(-2, 14))
        unregister = messages.new("SharedMemoryControlRequest", unregister={"name": "data"})
        assert messages.call("SharedMemoryControl", unregister).request_status.code == SUCCESS
        gone = send(classic, "POST", "/api/infer/simple", b"", header(1, inputs, outputs))
        assert "code: NOT_FOUND" in status_of(gone)
        assert "not found in manager" in status_of(gone)
        del numbers
    finally:
        region.close()
        region.unlink()


@pytest.mark.parametrize(
    ("path", "batch", "inputs", "body", "expected"),
    [
        ("nobody", 1, BOTH_INPUTS, 128, "code: UNAVAILABLE msg: \"Inference request for unknown model"),
        ("simple/2", 1, BOTH_INPUTS, 128, "code: UNAVAILABLE msg: \"Inference request for unknown model"),
        ("simple", 0, BOTH_INPUTS, 128, "code: INVALID_ARG"),
        ("simple", 9, BOTH_INPUTS, 9 * 128, "code: INVALID_ARG"),
        ("simple", 1, BOTH_INPUTS[:1], 64, "code: INVALID_ARG"),
        ("simple", 1, ['name: "INPUT0"', 'name: "INPUT7"'], 128, "code: INVALID_ARG"),
        ("simple", 1, ['name: "INPUT0" dims: 8', 'name: "INPUT1"'], 128, "code: INVALID_ARG"),
        ("simple", 1, ['name: "INPUT0" batch_byte_size: 60', 'name: "INPUT1"'], 128, "code: INVALID_ARG"),
        ("simple", 1, BOTH_INPUTS, 127, "code: INVALID_ARG"),
        ("simple", 1, BOTH_INPUTS, 129, "code: INVALID_ARG"),
    ],
)
def test_what_is_refused(classic, path, batch, inputs, body, expected):
    answer = send(classic, "POST", f"/api/infer/{path}", bytes(body), header(batch, inputs, BOTH_OUTPUTS, "id: 9"))
    assert (answer.status, answer.body, answer.headers["NV-InferResponse"]) == (400, b"", "id: 9")
    assert status_of(answer).startswith(expected), status_of(answer)
    assert status_of(answer).endswith('server_id: "inference:0"')


def test_model_control(tmp_path, request):
    copytree(CLASSIC / "simple", tmp_path / "models" / "simple")
    with trtserver(tmp_path / "models", tmp_path, "--model-control-mode=explicit", *engines(request)) as server:
        infer = lambda: send(server, "POST", "/api/infer/simple", bytes(128), header(1, BOTH_INPUTS, BOTH_OUTPUTS))
        assert status_of(infer()).startswith("code: UNAVAILABLE")
        loaded = send(server, "POST", "/api/modelcontrol/load/simple")
        assert (loaded.status, loaded.body) == (200, b"")
        assert infer().status == 200
        missing = send(server, "POST", "/api/modelcontrol/load/nobody")
        assert missing.status == 400
        assert "failed to load 'nobody', no version is available" in status_of(missing)
        connected = Messages(server)
        unload = connected.new("ModelControlRequest", model_name="simple")
        assert connected.call("ModelControl", unload).request_status.code == SUCCESS
        connected.channel.close()
        assert status_of(infer()).startswith("code: UNAVAILABLE")
        assert send(server, "POST", "/api/modelcontrol/unload/simple").status == 200
