"""Sequences through the clients' own parameters: HTTP and gRPC, unary, streams and asyncio, ids that are numbers and texts."""

import http.client
import itertools
import json
import re
import time

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.grpc.aio as grpc_aio
import tritonclient.http as httpclient
import tritonclient.http.aio as http_aio
from streams import Stream
from test_perf_analyzer import assert_complete, run_perf_analyzer
from tritonclient.utils import InferenceServerException

ids = itertools.count(1000)


def infer_input(module, value: int, name: str = "INPUT"):
    tensor = module.InferInput(name, [1, 1], "INT32")
    tensor.set_data_from_numpy(np.array([[value]], dtype=np.int32))
    return [tensor]


def steps(values):
    """Values with the flags of their step."""
    last = len(values) - 1
    return [(value, {"sequence_start": nth == 0, "sequence_end": nth == last}) for nth, value in enumerate(values)]


def expected_flags(values) -> list:
    return [[int(flags["sequence_start"]), int(flags["sequence_end"]), 1] for _, flags in steps(values)]


def flags_of(result) -> list:
    return result.as_numpy("FLAGS")[0].tolist()


@pytest.mark.parametrize("model", ["sequence_direct", "sequence_oldest"])
@pytest.mark.parametrize("module", [httpclient, grpcclient], ids=["http", "grpc"])
def test_unary(client, grpc_client, module, model):
    connected = client if module is httpclient else grpc_client
    sequence = next(ids)
    results = [
        connected.infer(model, infer_input(module, value), sequence_id=sequence, **flags)
        for value, flags in steps([3, 4, 5])
    ]
    assert [flags_of(result) for result in results] == expected_flags([3, 4, 5])
    assert [int(result.as_numpy("ID")[0, 0]) for result in results] == [sequence] * 3
    assert [int(result.as_numpy("OUTPUT")[0, 0]) for result in results] == [3, 4, 5]


@pytest.mark.parametrize("module", [httpclient, grpcclient], ids=["http", "grpc"])
def test_ids_that_are_texts(client, grpc_client, module):
    connected = client if module is httpclient else grpc_client
    sequence = f"zwölf-{next(ids)}"
    for value, flags in steps([3, 4, 5]):
        result = connected.infer("sequence_string", infer_input(module, value), sequence_id=sequence, **flags)
        assert result.as_numpy("ID")[0, 0].decode() == sequence


@pytest.mark.parametrize("model", ["sequence_direct", "sequence_oldest"])
def test_two_sequences_on_one_stream(grpc_client, model):
    """As in NVIDIA's simple_grpc_sequence_stream_infer_client."""
    first, second = next(ids), next(ids)
    values = list(range(20))
    with Stream(grpc_client) as stream:
        for value, flags in steps(values):
            for sequence in (first, second):
                stream.send(model, infer_input(grpcclient, value), sequence_id=sequence, request_id=f"{sequence}", **flags)
        for value, flags in zip(values, expected_flags(values)):
            for sequence in (first, second):
                result = stream.result()
                assert result.get_response().id == f"{sequence}"
                assert [flags_of(result), int(result.as_numpy("OUTPUT")[0, 0])] == [flags, value]


def test_a_stream_says_what_is_wrong_and_goes_on(grpc_client):
    sequence = next(ids)
    with Stream(grpc_client) as stream:
        stream.send("sequence_direct", infer_input(grpcclient, 1), sequence_id=sequence)
        assert "must specify the START flag on the first request of the sequence" in str(stream.error())
        stream.send("sequence_direct", infer_input(grpcclient, 1), sequence_id=sequence, sequence_start=True, sequence_end=True)
        assert flags_of(stream.result()) == [1, 1, 1]


def test_asyncio_over_http(server, run_async):
    async def run():
        async with http_aio.InferenceServerClient(server.url) as connected:
            sequence = next(ids)
            for value, flags in steps([1, 2, 3]):
                result = await connected.infer("sequence_oldest", infer_input(httpclient, value), sequence_id=sequence, **flags)
                assert flags_of(result)[:2] == [int(flags["sequence_start"]), int(flags["sequence_end"])]

    run_async(run())


def test_asyncio_streams(server, run_async):
    async def run():
        sequence = next(ids)
        values = [1, 2, 3, 4]

        async def requests():
            for value, flags in steps(values):
                yield {
                    "model_name": "sequence_oldest",
                    "inputs": infer_input(grpc_aio, value),
                    "sequence_id": sequence,
                    **flags,
                }

        async with grpc_aio.InferenceServerClient(server.grpc_url) as connected:
            answers = []
            async for result, error in connected.stream_infer(requests()):
                assert error is None
                answers.append(flags_of(result))
            assert answers == expected_flags(values)

    run_async(run())


@pytest.mark.parametrize("module", [httpclient, grpcclient], ids=["http", "grpc"])
def test_errors(client, grpc_client, module):
    connected = client if module is httpclient else grpc_client
    status = "400" if module is httpclient else "StatusCode.INVALID_ARGUMENT"
    sequence = next(ids)
    with pytest.raises(InferenceServerException) as caught:
        connected.infer("sequence_direct", infer_input(module, 1), sequence_id=sequence)
    assert caught.value.status() == status
    assert f"inference request for sequence {sequence} to model 'sequence_direct' must specify the START flag" in str(caught.value)
    with pytest.raises(InferenceServerException) as caught:
        connected.infer("sequence_direct", infer_input(module, 1))
    assert "must specify a non-zero or non-empty correlation ID" in str(caught.value)


def live_sequences(server, model: str) -> list:
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port)
    connection.request("GET", f"/v2/models/{model}/sequences")
    view = json.loads(connection.getresponse().read())
    connection.close()
    return view["live"]


@pytest.mark.parametrize(
    ("protocol", "more"),
    [("http", []), ("grpc", []), ("grpc", ["--streaming", "--async"])],
    ids=["http", "grpc", "stream"],
)
@pytest.mark.parametrize("model", ["sequence_direct", "sequence_oldest"])
def test_perf_analyzer(server, model, protocol, more):
    """Its sequence mode: it sees sequence_batching in the configuration, and runs sequences of some ten steps, one behind the other."""
    arguments = ["--concurrency-range", "4", "--sequence-length", "10", *more]
    done = run_perf_analyzer(server, *arguments, model=model, protocol=protocol)
    assert_complete(done)
    assert re.search(r"Sequence count: [1-9]\d*", done.stdout), done.stdout
    # What it leaves in the middle is released.
    deadline = time.monotonic() + 20
    while live_sequences(server, model) != []:
        assert time.monotonic() < deadline, live_sequences(server, model)
        time.sleep(0.02)


def test_the_server_keeps_the_state_of_each_sequence(grpc_client, client):
    """The accumulator of the examples: two sequences on one stream, a third over HTTP."""
    first, second, third = next(ids), next(ids), next(ids)
    with Stream(grpc_client) as stream:
        for value, flags in steps([1, 2, 3, 4]):
            stream.send("accumulator", infer_input(grpcclient, value), sequence_id=first, **flags)
            stream.send("accumulator", infer_input(grpcclient, 10 * value), sequence_id=second, **flags)
        sums = [int(stream.result().as_numpy("OUTPUT")[0, 0]) for _ in range(8)]
    assert sums == [1, 10, 3, 30, 6, 60, 10, 100]
    totals = [
        int(client.infer("accumulator", infer_input(httpclient, value), sequence_id=third, **flags).as_numpy("TOTAL")[0, 0])
        for value, flags in steps([5, 6])
    ]
    assert totals == [0, 11]
