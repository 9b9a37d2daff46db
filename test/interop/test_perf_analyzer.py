"""NVIDIA's own load generator, as it comes with tritonclient 2.51."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nvidia.cuda_runtime
import pytest

PERF_ANALYZER = Path(sys.executable).parent / "perf_analyzer"
CUDA_LIBRARIES = Path(nvidia.cuda_runtime.__path__[0]) / "lib"
TIMEOUT_SECONDS = 120


# Its own way to measure, until windows agree: any spread between them is stable enough here. Three seconds each.
WINDOWS = ("--measurement-mode", "count_windows", "--measurement-request-count", "200", "--stability-percentage", "999")
# A number of requests: a second each, for whatever is not about how it measures.
REQUESTS = ("--request-count", "1000")


def run_perf_analyzer(
    server, *arguments: str, model: str = "simple", protocol: str = "http", measurement: tuple[str, ...] = REQUESTS
) -> subprocess.CompletedProcess:
    url = server.url if protocol == "http" else server.grpc_url
    command = [str(PERF_ANALYZER), "-i", protocol, "-u", url, "-m", model, *measurement, *arguments]
    environment = {**os.environ, "LD_LIBRARY_PATH": str(CUDA_LIBRARIES)}
    return subprocess.run(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )


def assert_complete(done: subprocess.CompletedProcess) -> None:
    """It ended well, requests were answered, and the server's own statistics were understood."""
    # That perf_analyzer itself is too slow, on a machine that is busy, says nothing of the server.
    output = re.sub(r"^.*\[WARNING\] Perf Analyzer was not able to keep up.*$", "", done.stdout, flags=re.MULTILINE)
    assert done.returncode == 0, output
    # Asynchronous calls make perf_analyzer complain about its own timers, whatever the server.
    assert not re.search(r"warning|unsupported|not supported|failed(?! to update context stat)", output, re.IGNORECASE), output
    assert re.search(r"Throughput: [1-9][\d.]* infer/sec", output), output
    server_part = output[output.index("Server:") :]
    assert re.search(r"Inference count: [1-9]\d*", server_part), output
    assert re.search(r"Successful request count: [1-9]\d*", server_part), output
    phases = ("queue", "compute input", "compute infer", "compute output")
    assert re.search(r" \+ ".join(rf"{phase} \d+ usec" for phase in phases), server_part), output


def test_a_range_of_concurrencies(server):
    """Each level has its own throughput and its own figures of the server, and the table at the end has them all."""
    done = run_perf_analyzer(server, "--concurrency-range", "1:4:1", measurement=WINDOWS)
    assert_complete(done)
    assert re.findall(r"^Request concurrency: (\d+)$", done.stdout, re.MULTILINE) == ["1", "2", "3", "4"]
    assert len(re.findall(r"^  Server: $", done.stdout, re.MULTILINE)) == 4, done.stdout
    table = re.findall(r"^Concurrency: (\d+), throughput: ([\d.]+) infer/sec, latency (\d+) usec$", done.stdout, re.MULTILINE)
    assert [level for level, _, _ in table] == ["1", "2", "3", "4"], done.stdout
    assert all(float(throughput) > 0 and int(latency) > 0 for _, throughput, latency in table)


def test_the_servers_times_are_within_the_clients(server):
    """What the server counts as queue and compute is part of what the client waited for."""
    output = run_perf_analyzer(server, "--concurrency-range", "2", measurement=WINDOWS).stdout
    client_us = int(re.search(r"Avg latency: (\d+) usec", output)[1])
    requests, inside_us = re.search(r"Successful request count: (\d+)\s+Avg request latency: (\d+) usec", output).groups()
    assert int(requests) >= 200, output
    assert 0 < int(inside_us) <= client_us, output


def test_high_concurrency(server):
    assert_complete(run_perf_analyzer(server, "--concurrency-range", "16", measurement=WINDOWS))


def test_async_requests_on_few_threads(server):
    assert_complete(run_perf_analyzer(server, "--async", "--concurrency-range", "16", "--max-threads", "2"))


@pytest.mark.parametrize(
    ("model", "shapes"),
    [("identity_bytes", ["INPUT0:8"]), ("identity_fp16", ["INPUT0:8"]), ("digits", []), ("wide", [])],
)
def test_other_models(server, model, shapes):
    arguments = [argument for shape in shapes for argument in ("--shape", shape)]
    assert_complete(run_perf_analyzer(server, *arguments, "--concurrency-range", "4", model=model))


def test_batches_of_the_client(server):
    assert_complete(run_perf_analyzer(server, "-b", "4", "--concurrency-range", "4"))


def test_json_tensors_both_ways(server):
    formats = ["--input-tensor-format", "json", "--output-tensor-format", "json"]
    assert_complete(run_perf_analyzer(server, *formats, "--concurrency-range", "4"))


def test_a_rate_of_requests(server):
    assert_complete(run_perf_analyzer(server, "--request-rate-range", "200", measurement=WINDOWS))


def test_more_rows_than_the_model_takes_are_refused_by_the_server(server):
    done = run_perf_analyzer(server, "-b", "1000")
    assert done.returncode != 0
    assert "inference request batch-size must be <= " in done.stdout


@pytest.mark.parametrize("concurrency", ["1", "4", "32"])
def test_grpc(server, concurrency):
    done = run_perf_analyzer(server, "--concurrency-range", concurrency, protocol="grpc", measurement=WINDOWS)
    assert_complete(done)


@pytest.mark.parametrize("concurrency", ["1", "16"])
def test_grpc_streams(server, concurrency):
    assert_complete(run_perf_analyzer(server, "--streaming", "--concurrency-range", concurrency, protocol="grpc"))


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_grpc_compressed(server, algorithm):
    arguments = ["--grpc-compression-algorithm", algorithm, "--concurrency-range", "2"]
    assert_complete(run_perf_analyzer(server, *arguments, protocol="grpc"))


@pytest.mark.parametrize(("model", "shapes"), [("identity_bytes", ["INPUT0:8"]), ("wide", []), ("identity_fp32", ["INPUT0:40000"])])
def test_other_models_over_grpc(server, model, shapes):
    arguments = [argument for shape in shapes for argument in ("--shape", shape)]
    assert_complete(run_perf_analyzer(server, *arguments, "--concurrency-range", "4", model=model, protocol="grpc"))


def test_grpc_batches_and_rates(server):
    assert_complete(run_perf_analyzer(server, "-b", "4", "--concurrency-range", "4", protocol="grpc"))
    assert_complete(run_perf_analyzer(server, "--request-rate-range", "200", protocol="grpc", measurement=WINDOWS))


def profile(server, folder: Path, *arguments: str, model: str) -> dict:
    """What perf_analyzer writes of each request and its answers: of this the figures of language models are made."""
    file = folder / "profile.json"
    done = run_perf_analyzer(
        server, "--async", "--streaming", "--profile-export-file", str(file), *arguments, model=model, protocol="grpc"
    )
    assert_complete(done)
    return json.loads(file.read_text())


def write_data(folder: Path, *entries: dict) -> str:
    (folder / "data.json").write_text(json.dumps({"data": entries}))
    return str(folder / "data.json")


@pytest.mark.parametrize(("protocol", "model"), [("http", "pipeline"), ("grpc", "nested")])
def test_ensembles(server, protocol, model):
    """The figures of the steps are there too."""
    done = run_perf_analyzer(server, "--concurrency-range", "4", model=model, protocol=protocol)
    assert_complete(done)
    assert re.search(r"Composing models:", done.stdout), done.stdout
    for step in {"pipeline": ["simple", "total"], "nested": ["simple", "total", "upper"]}[model]:
        assert re.search(rf"^\s*{step}, version: 1", done.stdout, re.MULTILINE), done.stdout


@pytest.mark.parametrize("model", ["repeat_int32", "repeat_negated"])
def test_decoupled_models(server, tmp_path, model):
    entry = {"IN": {"content": [5, 6, 7], "shape": [3]}, "DELAY": {"content": [0, 0, 0], "shape": [3]}, "WAIT": [0]}
    document = profile(server, tmp_path, "--input-data", write_data(tmp_path, entry), "--concurrency-range", "4", model=model)
    requests = document["experiments"][0]["requests"]
    assert len(requests) >= 200
    # Three answers, and the empty one that says that it was the last.
    assert {len(request["response_timestamps"]) for request in requests} <= {3, 4}


def test_as_genai_perf_calls_it(server, tmp_path):
    """Prompts, a parameter for each request, and the time of every answer."""
    data = write_data(tmp_path, {"text_input": ["once upon a time"], "stream": [True]})
    document = profile(
        server,
        tmp_path,
        "--input-data",
        data,
        "--request-parameter",
        "max_tokens:3:int",
        "--concurrency-range",
        "2",
        model="tokens",
    )
    requests = document["experiments"][0]["requests"]
    assert len(requests) >= 200
    assert {len(request["response_timestamps"]) for request in requests} == {3}
