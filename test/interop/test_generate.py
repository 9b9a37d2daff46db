"""generate and generate_stream, with the HTTP clients that people ask language models with."""

import asyncio
import json

import httpx
import pytest
import requests
import sseclient
from grpc_tensors import wait_until
from httpx_sse import connect_sse

TIMEOUT_SECONDS = 30
WORDS = ["once", "upon", "a", "time"]
PROMPT = " ".join(WORDS)


def url(server, model: str, endpoint: str = "generate") -> str:
    return f"http://{server.url}/v2/models/{model}/{endpoint}"


def post(server, model: str, document, endpoint: str = "generate") -> requests.Response:
    return requests.post(url(server, model, endpoint), json=document, timeout=TIMEOUT_SECONDS)


def events(server, model: str, document) -> list[dict]:
    """With httpx and httpx-sse."""
    with httpx.Client(timeout=TIMEOUT_SECONDS) as client:
        with connect_sse(client, "POST", url(server, model, "generate_stream"), json=document) as source:
            return [event.json() for event in source.iter_sse()]


def without_model(event: dict) -> dict:
    return {name: value for name, value in event.items() if name not in ("model_name", "model_version")}


def test_generate_answers_once(server):
    answer = post(server, "tokens", {"text_input": PROMPT, "stream": False, "id": "mine"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json() == {
        "finish_reason": "stop",
        "id": "mine",
        "index": 0,
        "model_name": "tokens",
        "model_version": "1",
        "text_output": PROMPT,
    }
    assert list(answer.json()) == sorted(answer.json())


@pytest.mark.parametrize(
    ("parameters", "words", "reason"),
    [
        ({}, WORDS, "stop"),
        ({"max_tokens": 2, "temperature": 0.7, "top_p": 0.9}, WORDS[:2], "length"),
        ({"stop": "a"}, WORDS[:2], "stop"),
        ({"max_tokens": 1, "details": True}, WORDS[:1], "length"),
    ],
)
def test_generate_stream_gives_a_word_at_a_time(server, parameters, words, reason):
    heard = events(server, "tokens", {"text_input": PROMPT, "parameters": parameters})
    assert [event["text_output"] for event in heard] == words
    assert [event["index"] for event in heard] == list(range(len(words)))
    assert [event.get("finish_reason") for event in heard] == [None] * (len(words) - 1) + [reason]
    assert all((event["model_name"], event["model_version"]) == ("tokens", "1") for event in heard)


def test_parameters_may_stand_beside_the_inputs(server):
    heard = events(server, "tokens", {"text_input": PROMPT, "stream": True, "max_tokens": 3})
    assert [event["text_output"] for event in heard] == WORDS[:3]


def test_with_requests_and_sseclient(server):
    answer = requests.post(
        url(server, "tokens", "generate_stream"), json={"text_input": PROMPT}, stream=True, timeout=TIMEOUT_SECONDS
    )
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["Transfer-Encoding"] == "chunked"
    heard = [json.loads(event.data) for event in sseclient.SSEClient(answer).events()]
    assert [event["text_output"] for event in heard] == WORDS


def test_async_httpx_hears_many_streams_at_once(server, run_async):
    async def hear(client, number):
        document = {"IN": list(range(number)), "DELAY": [0] * number, "WAIT": 0}
        async with client.stream("POST", url(server, "repeat_negated", "generate_stream"), json=document) as answer:
            lines = [line async for line in answer.aiter_lines() if line]
        return [json.loads(line.removeprefix("data: "))["OUT"] for line in lines]

    async def all_of_them():
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
            return await asyncio.gather(*(hear(client, number) for number in range(1, 30)))

    heard = run_async(all_of_them())
    assert heard == [[-value for value in range(number)] for number in range(1, 30)]


@pytest.mark.parametrize("text", ["é€😀", 'quotes " and \\ and /', "a\tb", "\u2028", "data:", "</script>"])
def test_any_text(server, text):
    assert post(server, "tokens", {"text_input": text, "stream": False}).json()["text_output"] == text
    assert [event["text_output"] for event in events(server, "tokens", {"text_input": text, "stream": False})] == [text]


def test_text_with_line_breaks_is_one_event(server):
    text = "a\nb\r\nc\n\nd"
    assert [event["text_output"] for event in events(server, "tokens", {"text_input": text, "stream": False})] == [text]


def test_an_ensemble_answers_too(server):
    answer = post(server, "described", {"text_input": "hi", "temperature": 0.5, "id": "mine"})
    assert answer.status_code == 200
    described = json.loads(answer.json()["text_output"])
    assert (described["id"], described["parameters"]) == ("mine", {"id": "mine", "temperature": 0.5})


def test_a_decoupled_ensemble(server):
    heard = events(server, "repeat_negated", {"IN": [1, 2, 3], "DELAY": [0, 0, 0], "WAIT": 0})
    assert [without_model(event) for event in heard] == [{"IDX": index, "OUT": -index - 1} for index in range(3)]


@pytest.mark.parametrize("count", [0, 2])
def test_generate_is_for_one_answer(server, count):
    answer = post(server, "square_int32", {"IN": count})
    assert answer.status_code == 500
    assert answer.json() == {
        "error": "generate expects model to produce exactly 1 response, "
        "use generate stream for model that generates various number of responses"
    }


def test_no_answer_is_no_event(server):
    assert events(server, "square_int32", {"IN": 0}) == []


def test_an_error_is_the_last_event(server):
    heard = events(server, "tokens", {"text_input": PROMPT, "parameters": {"fail_at": 2}})
    assert [event.get("text_output") or event.get("error") for event in heard] == ["once", "upon", "out of words at 2"]


def test_the_status_is_that_of_the_first_event(server):
    document = {"text_input": PROMPT, "parameters": {"fail_at": 0}}
    answer = post(server, "tokens", document, "generate_stream")
    assert answer.status_code == 503
    assert answer.text == 'data: {"error":"out of words at 0"}\n\n'
    assert post(server, "tokens", {**document, "stream": False}).json() == {"error": "out of words at 0"}


@pytest.mark.parametrize("endpoint", ["generate", "generate_stream"])
@pytest.mark.parametrize(
    ("model", "document", "status", "text"),
    [
        ("none", {"text_input": "a"}, 404, "Request for unknown model: 'none' is not found"),
        ("tokens", {"text": "a"}, 400, "expected number of inputs between 1 and 2 but got 0 inputs for model 'tokens'"),
        ("square_int32", {"IN": [1, 2]}, 400, "The schema can not convert input 'IN' to tensor with proper shape"),
        ("square_int32", {"IN": "a"}, 400, "IN"),
    ],
)
def test_what_is_wrong_with_a_request_is_plain_json(server, endpoint, model, document, status, text):
    answer = post(server, model, document, endpoint)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert text in answer.json()["error"]


def test_who_hangs_up_cancels(server, client):
    def failures():
        (statistics,) = client.get_inference_statistics("repeat_int32")["model_stats"]
        return statistics["inference_stats"]["fail"]["count"]

    before = failures()
    document = {"IN": [7] * 10_000, "DELAY": [5] * 10_000, "WAIT": 0}
    with httpx.Client(timeout=TIMEOUT_SECONDS) as hasty:
        with connect_sse(hasty, "POST", url(server, "repeat_int32", "generate_stream"), json=document) as source:
            assert next(source.iter_sse()).json()["OUT"] == 7
    wait_until(lambda: failures() == before + 1)
