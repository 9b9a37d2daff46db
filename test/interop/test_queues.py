"""The models `slow…` take more than 100 ms for a batch and have one instance; `delayed` waits 200 ms for a batch of 4."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import tritonclient.http as httpclient
from raw import post_json

REQUESTS = 12


def ask(server, model, value, **parameters):
    tensor = {"name": "INPUT0", "datatype": "FP32", "shape": [1, 1], "data": [value]}
    return post_json(server, f"/v2/models/{model}/infer", {"inputs": [tensor], "parameters": parameters})


def at_once(server, model, **parameters):
    """Answers to as many requests as there are, all sent before the first can be answered."""
    with ThreadPoolExecutor(REQUESTS) as pool:
        return list(pool.map(lambda value: ask(server, model, value, **parameters), range(REQUESTS)))


@pytest.fixture
def statistics(server):
    def read(model):
        with httpclient.InferenceServerClient(server.url) as client:
            return client.get_inference_statistics(model)["model_stats"][0]

    return read


def test_a_full_queue_refuses_at_once_and_counts_nothing(server, statistics):
    before = statistics("slow_queue")["inference_stats"]
    answers = at_once(server, "slow_queue")
    refused = [answer for answer in answers if answer.status != 200]
    # One runs and two wait; a fourth may find the first batch already taken.
    assert REQUESTS - 6 <= len(refused) <= REQUESTS - 3
    for answer in refused:
        assert answer.status == 503
        assert answer.json["error"].endswith("Exceeds maximum queue size")
    after = statistics("slow_queue")["inference_stats"]
    assert after["success"]["count"] - before["success"]["count"] == REQUESTS - len(refused)
    assert after["fail"]["count"] == before["fail"]["count"]


def test_a_request_that_waits_too_long_is_refused_and_counted(server, statistics):
    before = statistics("slow_timeout")["inference_stats"]
    answers = at_once(server, "slow_timeout")
    late = [answer for answer in answers if answer.status != 200]
    assert 1 <= len(late) < REQUESTS
    for answer in late:
        assert (answer.status, answer.json["error"]) == (503, "Request timeout expired")
    after = statistics("slow_timeout")["inference_stats"]
    assert after["fail"]["count"] - before["fail"]["count"] == len(late)


def test_a_shorter_timeout_of_the_request_counts_and_a_longer_one_does_not(server):
    for timeout in (1_000, 60_000_000):
        answers = at_once(server, "slow_timeout", timeout=timeout)
        assert 503 in [answer.status for answer in answers]


def test_requests_that_wait_together_run_together(server, statistics):
    before = statistics("slow")
    answers = at_once(server, "slow")
    assert [answer.json["outputs"][0]["data"] for answer in answers] == [[value] for value in range(REQUESTS)]
    after = statistics("slow")
    assert after["inference_count"] - before["inference_count"] == REQUESTS
    # The model takes batches of 4; the first request does not wait for others.
    assert 3 <= after["execution_count"] - before["execution_count"] <= 6
    sizes = {entry["batch_size"]: entry["compute_infer"]["count"] for entry in after["batch_stats"]}
    assert sizes[4] >= 1
    assert list(sizes) == sorted(sizes)


def test_a_preferred_batch_is_waited_for(server, statistics):
    begin = time.monotonic()
    answer = ask(server, "delayed", 1)
    assert answer.status == 200
    assert 0.19 <= time.monotonic() - begin < 1
    before = statistics("delayed")["execution_count"]
    at_once(server, "delayed")
    assert statistics("delayed")["execution_count"] - before <= 4


@pytest.mark.parametrize("priority", [0, 1, 3, 99])
def test_priorities_are_taken_and_others_are_the_default(server, priority):
    assert ask(server, "slow_priority", 1, priority=priority).status == 200


def test_a_model_that_keeps_the_order(server):
    answers = at_once(server, "ordered")
    assert [answer.status for answer in answers] == [200] * REQUESTS
