"""Requests to the models of this folder that answer any number of times, in the hands of tritonclient's gRPC clients."""

import numpy as np
from grpc_tensors import final_mark, grpc_input
from streams import Stream


def repeat_inputs(values, delay_ms: int = 0, wait_ms: int = 0) -> list:
    """Of `repeat_int32` and of `repeat_negated`."""
    numbers = np.array(values, np.int32)
    return [
        grpc_input("IN", numbers),
        grpc_input("DELAY", np.full(numbers.shape, delay_ms, np.uint32)),
        grpc_input("WAIT", np.array([wait_ms], np.uint32)),
    ]


def square_inputs(number: int) -> list:
    return [grpc_input("IN", np.array([number], np.int32))]


def text_inputs(text: str) -> list:
    """Of `tokens`."""
    return [grpc_input("text_input", np.array([text], np.object_))]


def number_of(result, name: str = "OUT") -> int:
    return int(result.as_numpy(name)[0])


def text_of(result) -> str:
    return result.as_numpy("text_output")[0].decode()


def is_empty(result) -> bool:
    return len(result.get_response().outputs) == 0


def parameters_of(result) -> dict:
    """Those of an answer, but for the mark of the last one."""
    parameters = result.get_response().parameters
    return {name: value_of(parameters[name]) for name in parameters if name != "triton_final_response"}


def value_of(parameter):
    return getattr(parameter, parameter.WhichOneof("parameter_choice"))


def without_end(answers: list, model: str) -> list:
    """Those of `until_final` that have outputs. The last of an ensemble says itself that it is, if that is known when it is sent."""
    *others, last = answers
    assert is_empty(last) or model == "repeat_negated"
    return others if is_empty(last) else answers


def until_final(stream: Stream) -> list:
    """All answers up to the one that is marked as the last: of one request that asked for such a mark."""
    answers = [stream.result()]
    while not final_mark(answers[-1]):
        answers.append(stream.result())
    return answers
