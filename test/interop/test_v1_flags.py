"""TensorRT Inference Server 19.11 by its own flags: model control and polling, ensembles, sequences over HTTP, statistics."""

import re
import struct
import time
from shutil import copytree
from typing import Iterator

import numpy as np
import pytest
from google.protobuf import json_format, text_format
from raw import Answer, get, send
from server import ROOT, Server
from test_v1 import BOTH_INPUTS, BOTH_OUTPUTS, CLASSIC, END, START, Messages, engines, header, sizes_of, status_of, trtserver

pytestmark = pytest.mark.skipif(not CLASSIC.is_dir(), reason=f"the models of 19.11 are not in {CLASSIC}")

SUCCESS = 'code: SUCCESS server_id: "inference:0"'
ONE_INPUT, ONE_OUTPUT = ['name: "INPUT0"'], ['name: "OUTPUT0"']
OURS = ("sequence_old", "labels", "fails_at_run")
POLL_DEADLINE_SECONDS = 30


def tensor(name: str, of: str, dims: int) -> str:
    return f'{{ name: "{name}" data_type: TYPE_{of} dims: [ {dims} ] }}'


def ensemble(name: str, inputs: list[str], output: str, steps: list[tuple[str, dict, dict]]) -> str:
    """As of 19.11: steps alone, with the latest version of each model."""
    maps = lambda kind, names: " ".join(f'{kind}_map {{ key: "{key}" value: "{value}" }}' for key, value in names.items())
    texts = [f'step {{ model_name: "{model}" model_version: -1 {maps("input", i)} {maps("output", o)} }}' for model, i, o in steps]
    tensors = f"input [ {', '.join(inputs)} ] output [ {output} ]"
    return f'name: "{name}" platform: "ensemble" max_batch_size: 4 {tensors} ensemble_scheduling {{ {" ".join(texts)} }}'


ENSEMBLES = [
    ensemble(
        "twice",
        [tensor("A", "INT32", 16), tensor("B", "INT32", 16)],
        tensor("C", "INT32", 16),
        [
            ("simple", {"INPUT0": "A", "INPUT1": "B"}, {"OUTPUT0": "sum"}),
            ("simple", {"INPUT0": "sum", "INPUT1": "B"}, {"OUTPUT0": "C"}),
        ],
    ),
    ensemble("named", [tensor("A", "FP32", 4)], tensor("C", "FP32", 4), [("labels", {"INPUT0": "A"}, {"OUTPUT0": "C"})]),
    ensemble("failing", [tensor("A", "INT64", 1)], tensor("C", "FP32", 1), [("fails_at_run", {"INPUT0": "A"}, {"OUTPUT0": "C"})]),
]


@pytest.fixture(scope="module")
def controlled(tmp_path_factory, request) -> Iterator[Server]:
    """Models are those that it was told to load; the rest of what that release came with lies beside them, without its weights."""
    folder = tmp_path_factory.mktemp("controlled")
    models = folder / "models"
    copytree(CLASSIC, models)
    for model in OURS:
        copytree(ROOT / "test/models" / model, models / model)
    names = []
    for text in ENSEMBLES:
        names.append(re.match(r'name: "(\w+)"', text).group(1))
        (models / names[-1] / "1").mkdir(parents=True)
        (models / names[-1] / "config.pbtxt").write_text(text)
    loads = [f"--load-model={name}" for name in ("simple", *OURS, *names)]
    flags = ["--allow-poll-model-repository=false", "--allow-model-control=true", "--allow-client-shm=true", *loads]
    with trtserver(models, folder, *flags, *engines(request)) as running:
        yield running


@pytest.fixture(scope="module")
def messages(controlled) -> Iterator[Messages]:
    connected = Messages(controlled)
    yield connected
    connected.channel.close()


def infer(server: Server, path: str, body: bytes, *asked, **kwargs) -> Answer:
    return send(server, "POST", f"/api/infer/{path}", body, header(*asked, **kwargs))


def test_status_is_the_same_as_text_and_binary_and_json(controlled, messages):
    new = lambda: messages.new("ServerStatus")
    text = text_format.Parse(get(controlled, "/api/status/simple").body.decode(), new())
    binary = new().FromString(get(controlled, "/api/status/simple?format=binary").body)
    json = json_format.Parse(get(controlled, "/api/status/simple?format=json").body, new())
    for status in (text, binary, json):
        assert status.uptime_ns > 0
        status.uptime_ns = 0
    assert text == binary == json
    assert [binary.HasField(name) for name in ("status_stats", "health_stats", "model_control_stats", "shm_control_stats")] == [False] * 4


def test_what_was_asked_is_counted(controlled, messages):
    counts = lambda: messages.new("ServerStatus").FromString(get(controlled, "/api/status?format=binary").body)
    before = counts()
    get(controlled, "/api/health/ready")
    messages.call("Health", messages.new("HealthRequest", mode="well"))
    get(controlled, "/api/status/nobody")
    send(controlled, "POST", "/api/modelcontrol/load/nobody")
    send(controlled, "POST", "/api/sharedmemorycontrol/unregister/nobody")
    after = counts()
    grown = lambda name: getattr(after, name).success.count - getattr(before, name).success.count
    assert {name: grown(name) for name in ("health_stats", "status_stats", "model_control_stats", "shm_control_stats")} == {
        "health_stats": 2,
        "status_stats": 2,
        "model_control_stats": 1,
        "shm_control_stats": 1,
    }


def test_statistics_are_by_batch_size_and_leave_out_what_was_refused(controlled, messages):
    def stats(model: str):
        body = get(controlled, f"/api/status/{model}?format=binary").body
        return messages.new("ServerStatus").FromString(body).model_status[model].version_status[1]

    ask = lambda batch, size: infer(controlled, "simple", bytes(size), batch, BOTH_INPUTS, BOTH_OUTPUTS).status
    before = stats("simple")
    assert [ask(1, 128), ask(5, 640), ask(5, 640), ask(9, 9 * 128), ask(1, 100)] == [200, 200, 200, 400, 400]
    after = stats("simple")
    grown = lambda size: after.infer_stats[size].success.count - before.infer_stats[size].success.count
    assert [grown(1), grown(5)] == [1, 2]
    assert 9 not in after.infer_stats
    assert after.model_inference_count - before.model_inference_count == 11
    assert after.model_execution_count - before.model_execution_count == 3
    five = after.infer_stats[5]
    assert five.compute.count == five.queue.count == five.success.count
    assert five.success.total_time_ns >= five.compute.total_time_ns + five.queue.total_time_ns > 0
    failed = stats("fails_at_run").infer_stats[1].failed.count
    assert infer(controlled, "fails_at_run", struct.pack("<q", 1_000_000), 1, ONE_INPUT, ONE_OUTPUT).status == 400
    assert stats("fails_at_run").infer_stats[1].failed.count == failed + 1


def test_an_ensemble_of_the_real_model(controlled):
    a, b = np.arange(32, dtype=np.int32), np.full(32, 7, np.int32)
    answer = infer(controlled, "twice", a.tobytes() + b.tobytes(), 2, ['name: "A"', 'name: "B"'], ['name: "C"'])
    assert answer.status == 200, answer.headers
    assert sizes_of(answer) == [128]
    assert np.array_equal(np.frombuffer(answer.body[:128], np.int32), a + 2 * b)


def test_classes_of_an_ensemble_have_the_labels_of_its_step(controlled):
    values = np.array([1, 9, 3, 2], np.float32)
    answer = infer(controlled, "named", values.tobytes(), 1, ['name: "A"'], ['name: "C" cls { count: 2 }'])
    assert 'cls { idx: 1 value: 9 label: "one" } cls { idx: 2 value: 3 label: "two" }' in answer.headers["NV-InferResponse"]


def test_a_step_that_fails_names_its_ensemble(controlled):
    answer = infer(controlled, "failing", struct.pack("<q", 1_000_000), 1, ['name: "A"'], ['name: "C"'])
    assert answer.status == 400
    assert status_of(answer).startswith("code: INTERNAL msg: \"in ensemble 'failing', ")


def test_sequences_over_http(controlled):
    """OUTPUT = INPUT + 10 at the start + 100 where the slot is ready: START and READY are all that models of 19.11 are told."""

    def step(sequence: int, value: int, flags: int = 0, batch: int = 1) -> Answer:
        particulars = f"correlation_id: {sequence} flags: {flags}"
        return infer(controlled, "sequence_old", struct.pack("<i", value) * batch, batch, ['name: "INPUT"'], ['name: "OUTPUT"'], particulars)

    steps = [(7, 1, START), (8, 2, START), (7, 3), (8, 4, END), (7, 5, END), (9, 6, START | END)]
    assert [struct.unpack_from("<i", step(*each).body)[0] for each in steps] == [111, 112, 103, 104, 105, 116]
    refused = "code: INVALID_ARG msg: \"inference request "
    assert status_of(step(7, 1)).startswith(f"{refused}for sequence 7 to model 'sequence_old' must specify the START flag")
    assert status_of(step(0, 1, START)).startswith(f"{refused}to model 'sequence_old' must specify")
    assert status_of(step(10, 1, START, batch=2)).startswith(f"{refused}to model 'sequence_old' must specify")


def test_shared_memory_that_is_not_as_it_is_said(controlled):
    path = "/api/sharedmemorycontrol"
    status = lambda request: status_of(send(controlled, "POST", f"{path}/{request}"))
    assert status("register/r//conch_no_such_key/0/64").startswith("code: INTERNAL")
    assert status("cudaregister/r/64/0").startswith("code: INVALID_ARG")
    assert status_of(send(controlled, "POST", f"{path}/cudaregister/r/64/0", bytes(64))).startswith("code: INVALID_ARG")
    assert [status("unregister/r"), status("unregisterall")] == [SUCCESS, SUCCESS]
    assert get(controlled, f"{path}/status?format=binary").body == b""


@pytest.mark.parametrize("model", ["densenet_onnx", "inception_graphdef", "resnet50_netdef"])
def test_a_model_without_its_weights_is_named(controlled, model):
    failed = send(controlled, "POST", f"/api/modelcontrol/load/{model}")
    assert (failed.status, failed.body) == (400, b"")
    assert status_of(failed).startswith(f"code: INTERNAL msg: \"failed to load '{model}'")


def test_models_come_and_go(controlled):
    for action in ("load", "load", "unload", "unload", "load"):
        answer = send(controlled, "POST", f"/api/modelcontrol/{action}/simple_string")
        assert (answer.status, answer.body, status_of(answer)) == (200, b"", SUCCESS)
        is_ready = "ready_state: MODEL_READY" in get(controlled, "/api/status/simple_string").body.decode()
        assert is_ready == (action == "load")


def test_folders_are_followed(tmp_path, request):
    copytree(CLASSIC / "simple", tmp_path / "models/simple")
    with trtserver(tmp_path / "models", tmp_path, "--repository-poll-secs=1", *engines(request)) as server:
        assert "unknown model 'simple_string'" in status_of(get(server, "/api/status/simple_string"))
        assert status_of(send(server, "POST", "/api/modelcontrol/load/simple")).startswith("code: UNAVAILABLE")
        copytree(CLASSIC / "simple_string", tmp_path / "models/simple_string")
        deadline = time.monotonic() + POLL_DEADLINE_SECONDS
        while b"MODEL_READY" not in get(server, "/api/status/simple_string").body:
            assert time.monotonic() < deadline, (tmp_path / "server.log").read_text()
            time.sleep(0.05)
        assert get(server, "/api/health/ready").status == 200
