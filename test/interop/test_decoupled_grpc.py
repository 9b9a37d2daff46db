"""Models that answer any number of times, over ModelStreamInfer, as Triton's own examples ask them."""

import asyncio
from collections import defaultdict

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.grpc.aio as aioclient
from decoupled import (
    is_empty,
    number_of,
    parameters_of,
    repeat_inputs,
    square_inputs,
    text_inputs,
    text_of,
    until_final,
    without_end,
)
from grpc_tensors import final_mark, grpc_input, simple_grpc_inputs, wait_until
from streams import WAIT_SECONDS, Stream
from tensors import assert_simple_result
from tritonclient.utils import InferenceServerException


@pytest.fixture
def stream(grpc_client):
    with Stream(grpc_client) as opened:
        yield opened


@pytest.mark.parametrize(("model", "sign"), [("repeat_int32", 1), ("repeat_negated", -1)])
def test_each_element_is_an_answer_in_order(stream, model, sign):
    values = [4, 2, 0, 1, 8]
    stream.send(model, repeat_inputs(values), request_id="mine", enable_empty_final_response=True)
    heard = until_final(stream)
    assert [final_mark(answer) for answer in heard] == [False] * (len(heard) - 1) + [True]
    answers = without_end(heard, model)
    assert [number_of(answer) for answer in answers] == [sign * value for value in values]
    assert [number_of(answer, "IDX") for answer in answers] == [0, 1, 2, 3, 4]
    for answer in answers:
        response = answer.get_response()
        assert (response.id, response.model_name, response.model_version) == ("mine", model, "1")


@pytest.mark.parametrize("model", ["repeat_int32", "repeat_negated"])
def test_the_empty_last_answer_names_its_request(stream, model):
    stream.send(model, repeat_inputs([]), request_id="mine", enable_empty_final_response=True)
    answer = stream.result()
    response = answer.get_response()
    assert is_empty(answer) and final_mark(answer) is True
    assert (response.id, response.model_name, len(response.raw_output_contents)) == ("mine", model, 0)


@pytest.mark.parametrize("model", ["repeat_int32", "repeat_negated"])
def test_who_does_not_ask_for_it_gets_no_empty_last_answer(grpc_client, model):
    with Stream(grpc_client) as opened:
        opened.send(model, repeat_inputs([1, 2, 3]))
        opened.send(model, repeat_inputs([]))
        opened.send(model, repeat_inputs([4]))
    # The stream is stopped: everything has come.
    heard = sorted(abs(number_of(opened.result())) for _ in range(opened.answers.qsize()))
    assert heard == [1, 2, 3, 4]


def test_the_last_answer_with_outputs_can_be_the_final_one(stream):
    stream.send("tokens", text_inputs("once upon a time"), enable_empty_final_response=True)
    answers = until_final(stream)
    assert [text_of(answer) for answer in answers] == ["once", "upon", "a", "time"]
    assert [final_mark(answer) for answer in answers] == [False, False, False, True]


def test_parameters_go_to_the_model_and_come_back_with_each_answer(stream):
    stream.send("tokens", text_inputs("a b c d"), parameters={"max_tokens": 3, "stop": "z", "temperature": 1, "echo": True})
    answers = until_final(stream)
    assert [text_of(answer) for answer in answers] == ["a", "b", "c"]
    assert [parameters_of(answer) for answer in answers] == [
        {"index": 0},
        {"index": 1},
        {"index": 2, "finish_reason": "length"},
    ]


def test_requests_side_by_side_each_get_their_own_answers(stream):
    for number in range(1, 31):
        stream.send("square_int32", square_inputs(number), request_id=str(number), enable_empty_final_response=True)
        stream.send("repeat_negated", repeat_inputs(range(number)), request_id=f"r{number}", enable_empty_final_response=True)
    heard = defaultdict(list)
    finals = 0
    while finals < 60:
        answer = stream.result()
        request_id = answer.get_response().id
        heard[request_id].append(answer)
        finals += final_mark(answer)
    for number in range(1, 31):
        squares = without_end(heard[str(number)], "square_int32")
        assert [number_of(answer) for answer in squares] == [number] * number
        negated = without_end(heard[f"r{number}"], "repeat_negated")
        assert [number_of(answer) for answer in negated] == [-value for value in range(number)]


def test_answers_come_as_they_are_made_and_do_not_hold_up_others(stream):
    """A slow request does not keep those behind it from being answered; models that answer once go on as always."""
    stream.send("repeat_int32", repeat_inputs([1, 2], delay_ms=400), request_id="slow", enable_empty_final_response=True)
    stream.send("square_int32", square_inputs(1), request_id="fast")
    stream.send("simple", simple_grpc_inputs(), request_id="once")
    ids = [stream.result().get_response().id for _ in range(5)]
    assert sorted(ids[:2]) == ["fast", "once"]
    assert ids[2:] == ["slow", "slow", "slow"]


def test_many_answers_to_one_request(stream):
    stream.send("square_int32", square_inputs(5000), enable_empty_final_response=True)
    answers = until_final(stream)
    assert len(answers) == 5001
    assert {number_of(answer) for answer in answers[:-1]} == {5000}


def test_an_error_in_the_middle_is_the_last_of_its_request_and_the_stream_goes_on(stream):
    stream.send("tokens", text_inputs("a b c"), request_id="bad", parameters={"fail_at": 2}, enable_empty_final_response=True)
    assert [text_of(stream.result()) for _ in range(2)] == ["a", "b"]
    assert stream.error().message() == "out of words at 2"
    stream.send("square_int32", square_inputs(2), enable_empty_final_response=True)
    assert [is_empty(answer) for answer in until_final(stream)] == [False, False, True]


def test_an_error_in_a_step_behind_a_decoupled_one_names_the_ensemble(stream):
    stream.send("repeat_negated", repeat_inputs([1, 1313, 2]), enable_empty_final_response=True)
    heard = []
    while not heard or isinstance(heard[-1], int):
        result, error = stream.answers.get(timeout=WAIT_SECONDS)
        heard.append(number_of(result) if error is None else error.message())
    assert heard[-1] == "in ensemble 'repeat_negated', 1313 is no number"
    assert heard[:-1] in ([], [-1])
    stream.send("repeat_negated", repeat_inputs([5]), enable_empty_final_response=True)
    assert [number_of(answer) for answer in without_end(until_final(stream), "repeat_negated")] == [-5]


def test_errors_before_the_model_has_it(stream):
    stream.send("repeat_int32", repeat_inputs([1])[:2], request_id="a")
    stream.send("square_int32", [grpc_input("IN", np.array([1, 2], np.int32))])
    stream.send("square_int32", square_inputs(1), outputs=[grpcclient.InferRequestedOutput("NONE")])
    assert stream.error().message().startswith("[request id: a] expected 3 inputs but got 2 inputs for model 'repeat_int32'")
    assert "unexpected shape for input 'IN' for model 'square_int32'. Expected [1], got [2]" in stream.error().message()
    assert "unexpected inference output 'NONE' for model 'square_int32'" in stream.error().message()


def test_an_error_can_end_the_stream_by_its_status(grpc_client):
    opened = Stream(grpc_client, headers={"triton_grpc_error": "true"})
    opened.send("square_int32", square_inputs(-1))
    error = opened.error()
    assert (error.status(), error.message()) == ("StatusCode.INVALID_ARGUMENT", "no answer comes -1 times")
    grpc_client.stop_stream()


@pytest.mark.parametrize("names", [["IDX"], ["OUT"], ["IDX", "OUT"]])
@pytest.mark.parametrize("model", ["repeat_int32", "repeat_negated"])
def test_only_the_outputs_that_were_asked_for(stream, model, names):
    outputs = [grpcclient.InferRequestedOutput(name) for name in names]
    stream.send(model, repeat_inputs([7]), outputs=outputs, enable_empty_final_response=True)
    (answer,) = without_end(until_final(stream), model)
    assert sorted(output.name for output in answer.get_response().outputs) == sorted(names)


@pytest.mark.parametrize("model", ["repeat_int32", "repeat_negated"])
def test_unary_calls_are_refused(grpc_client, model):
    with pytest.raises(InferenceServerException) as refused:
        grpc_client.infer(model, repeat_inputs([1]))
    assert refused.value.status() == "StatusCode.UNIMPLEMENTED"
    assert refused.value.message() == "ModelInfer RPC doesn't support models with decoupled transaction policy"


def cancelled(client, model: str) -> int:
    (statistics,) = client.get_inference_statistics(model).model_stats
    return statistics.inference_stats.fail.count


@pytest.mark.parametrize("model", ["repeat_int32", "repeat_negated"])
def test_stopping_the_stream_with_its_requests_cancels_them(server, grpc_client, model):
    before = cancelled(grpc_client, model)
    with grpcclient.InferenceServerClient(server.grpc_url) as client:
        opened = Stream(client)
        opened.send(model, repeat_inputs([7] * 10_000, delay_ms=5))
        assert abs(number_of(opened.result())) == 7
        client.stop_stream(cancel_requests=True)
        while True:
            _, error = opened.answers.get(timeout=WAIT_SECONDS)
            if error is not None:
                break
        assert error.status() == "StatusCode.CANCELLED"
    wait_until(lambda: cancelled(grpc_client, model) == before + 1)
    assert_simple_result(grpc_client.infer("simple", simple_grpc_inputs()))


def test_asyncio_streams_and_their_cancel(server, grpc_client, run_async):
    before = cancelled(grpc_client, "repeat_int32")

    async def hear():
        async with aioclient.InferenceServerClient(server.grpc_url) as client:

            async def requests():
                yield {"model_name": "square_int32", "inputs": square_inputs(3)}
                yield {"model_name": "tokens", "inputs": text_inputs("a b"), "parameters": {"fail_at": 1}}
                yield {"model_name": "repeat_int32", "inputs": repeat_inputs([7] * 10_000, delay_ms=5)}
                # Half-closed only when it is cancelled.
                await asyncio.sleep(WAIT_SECONDS)

            heard, errors = [], []
            answers = client.stream_infer(requests())
            async for result, error in answers:
                if error is not None:
                    errors.append(error.message())
                else:
                    response = result.get_response()
                    heard.append(response.model_name)
                # Answers to different requests come in any order.
                if heard.count("repeat_int32") >= 3 and heard.count("square_int32") == 3 and errors:
                    break
            assert answers.cancel()
            with pytest.raises(asyncio.CancelledError):
                async for _ in answers:
                    pass
            return heard, errors

    heard, errors = run_async(hear())
    assert (heard.count("square_int32"), heard.count("tokens"), errors) == (3, 1, ["out of words at 1"])
    wait_until(lambda: cancelled(grpc_client, "repeat_int32") == before + 1)


def test_statistics_count_requests_and_their_answers_by_place(client, grpc_client):
    def answers() -> dict[tuple[str, str], int]:
        (found,) = client.get_inference_statistics("square_int32")["model_stats"]
        places = found["response_stats"].items()
        return {(place, kind): duration["count"] for place, kinds in places for kind, duration in kinds.items()}

    def requests() -> tuple[int, int, int]:
        (found,) = grpc_client.get_inference_statistics("square_int32").model_stats
        return found.inference_count, found.inference_stats.success.count, found.inference_stats.fail.count

    before, requests_before = answers(), requests()
    with Stream(grpc_client) as opened:
        for number in (2, 0, 1, -1):
            opened.send("square_int32", square_inputs(number))
    grown = {key: count - before.get(key, 0) for key, count in answers().items() if count > before.get(key, 0)}
    assert [after - now for after, now in zip(requests(), requests_before)] == [3, 3, 1]
    first = {"compute_infer": 4, "compute_output": 2, "success": 2, "fail": 1, "empty_response": 1}
    second = {"compute_infer": 2, "compute_output": 1, "success": 1, "empty_response": 1}
    third = {"compute_infer": 1, "empty_response": 1}
    expected = {"0": first, "1": second, "2": third}
    assert grown == {(place, kind): count for place, kinds in expected.items() for kind, count in kinds.items()}
    (found,) = grpc_client.get_inference_statistics("square_int32").model_stats
    assert found.response_stats["1"].success.count == answers()[("1", "success")]


@pytest.mark.parametrize("model", ["repeat_int32", "square_int32", "tokens", "repeat_negated"])
def test_the_configuration_says_that_it_is_decoupled(grpc_client, client, model):
    assert grpc_client.get_model_config(model).config.model_transaction_policy.decoupled is True
    assert client.get_model_config(model)["model_transaction_policy"] == {"decoupled": True}
