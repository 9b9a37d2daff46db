"""Ensembles of ONNX and JavaScript models, as both clients of Triton see them."""

import json
import re

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from decoupled import value_of
from raw import post_json
from tensors import SIMPLE_A, SIMPLE_B
from tritonclient.utils import InferenceServerException, np_to_triton_dtype


@pytest.fixture(params=["http", "grpc"])
def api(server, request):
    """The module of a client, and a client."""
    module, url = {"http": (httpclient, server.url), "grpc": (grpcclient, server.grpc_url)}[request.param]
    with module.InferenceServerClient(url) as client:
        yield module, client


def infer(api, model: str, inputs: dict[str, np.ndarray], outputs: list[str] | None = None, **options):
    module, client = api
    tensors = [tensor(module, name, values) for name, values in inputs.items()]
    wanted = None if outputs is None else [module.InferRequestedOutput(name) for name in outputs]
    return client.infer(model, tensors, outputs=wanted, **options)


def tensor(module, name: str, values: np.ndarray):
    made = module.InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
    return made.set_data_from_numpy(values)


def rows(count: int) -> dict[str, np.ndarray]:
    """Inputs of `pipeline` and `nested`."""
    a = np.arange(16 * count, dtype=np.int32).reshape(count, 16)
    return {"A": a, "B": np.full_like(a, 2)}


def texts_of(result, name: str) -> list[str]:
    return [element.decode() for element in result.as_numpy(name).flatten()]


def names_of(result) -> list[str]:
    response = result.get_response()
    return [o["name"] for o in response["outputs"]] if isinstance(response, dict) else [o.name for o in response.outputs]


def statistics(client, model: str) -> dict:
    """Of both clients the same: by gRPC 64-bit numbers are texts, and what is 0 is not there."""
    options = {} if isinstance(client, httpclient.InferenceServerClient) else {"as_json": True}
    (found,) = client.get_inference_statistics(model, **options)["model_stats"]
    parts = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")
    counts = {part: int(found["inference_stats"].get(part, {}).get("count", 0)) for part in parts}
    return {"inferences": int(found.get("inference_count", 0)), "executions": int(found.get("execution_count", 0)), **counts}


def growth(before: dict, after: dict) -> dict:
    return {name: after[name] - before[name] for name in after}


def error_of(api, *arguments, **options) -> tuple[str, str]:
    with pytest.raises(InferenceServerException) as raised:
        infer(api, *arguments, **options)
    return raised.value.status(), raised.value.message()


@pytest.mark.parametrize("count", [1, 3, 8])
def test_every_output_of_every_step(api, count):
    inputs = rows(count)
    result = infer(api, "pipeline", inputs, request_id="mine")
    totals = (inputs["A"] + inputs["B"]).sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(result.as_numpy("TOTAL"), totals)
    np.testing.assert_array_equal(result.as_numpy("DIFFERENCE"), inputs["A"] - inputs["B"])
    assert texts_of(result, "TEXT") == [f"the sum is {total}" for total in totals.flatten()]
    response = result.get_response()
    assert (response["id"] if isinstance(response, dict) else response.id) == "mine"
    assert names_of(result) == ["TOTAL", "TEXT", "DIFFERENCE"]


def test_an_ensemble_in_an_ensemble(api):
    result = infer(api, "nested", rows(2))
    assert texts_of(result, "LOUD") == ["THE SUM IS 152", "THE SUM IS 408"]


def test_steps_that_are_not_needed_do_not_run(api):
    _, client = api
    models = ("pipeline", "simple", "total")
    before = {model: statistics(client, model) for model in models}
    result = infer(api, "pipeline", rows(2), outputs=["DIFFERENCE"])
    assert names_of(result) == ["DIFFERENCE"]
    grown = {model: growth(before[model], statistics(client, model)) for model in models}
    assert [grown[model]["success"] for model in models] == [1, 1, 0]
    assert [grown[model]["inferences"] for model in models] == [2, 2, 0]


def test_statistics_of_the_ensemble_and_of_its_steps(api):
    _, client = api
    models = ("nested", "pipeline", "simple", "total", "upper")
    before = {model: statistics(client, model) for model in models}
    infer(api, "nested", rows(3))
    for model in models:
        grown = growth(before[model], statistics(client, model))
        counts = {name: count for name, count in grown.items() if name not in ("inferences", "executions")}
        assert (grown["inferences"], grown["executions"]) == (3, 1), model
        assert counts == {
            "success": 1,
            "fail": 0,
            "queue": 1,
            "compute_input": 1,
            "compute_infer": 1,
            "compute_output": 1,
        }, model


def test_a_failing_step_fails_the_ensemble_by_name(api):
    _, client = api
    before = {model: statistics(client, model) for model in ("fails_in_ensemble", "fails_at_run", "identity_int64")}
    status, message = error_of(api, "fails_in_ensemble", {"IN": np.array([[99]])})
    assert status in ("500", "StatusCode.INTERNAL")
    assert message.startswith("in ensemble 'fails_in_ensemble', onnx runtime error 2: ")
    grown = {model: growth(counts, statistics(client, model)) for model, counts in before.items()}
    assert [grown[model]["success"] for model in before] == [0, 0, 1]
    assert (grown["fails_in_ensemble"]["fail"], grown["fails_at_run"]["fail"]) == (1, 1)
    assert infer(api, "fails_in_ensemble", {"IN": np.array([[3]])}).as_numpy("OUT").shape == (1, 1)


def test_an_exception_in_a_step_of_a_nested_ensemble_names_both(api):
    inputs = rows(1)
    inputs["A"][:] = 0
    inputs["B"][:] = 0
    inputs["A"][0, 0] = 1313
    status, message = error_of(api, "nested", inputs)
    assert status in ("500", "StatusCode.INTERNAL")
    assert message == "in ensemble 'nested', in ensemble 'pipeline', 1313 is no number"


def test_requests_are_checked_as_those_of_any_model(api):
    inputs = rows(1)
    assert re.match(
        r"(\[request id: <id_unknown>\] )?expected 2 inputs but got 1 inputs for model 'pipeline'",
        error_of(api, "pipeline", {"A": inputs["A"]})[1],
    )
    assert "inference request batch-size must be <= 8 for 'pipeline'" in error_of(api, "pipeline", rows(9))[1]
    assert "data-type is 'FP32', but model 'pipeline' expects 'INT32'" in error_of(
        api, "pipeline", {**inputs, "A": inputs["A"].astype(np.float32)}
    )[1]
    assert "unexpected inference output 'sum' for model 'pipeline'" in error_of(api, "pipeline", inputs, outputs=["sum"])[1]


def test_metadata_is_that_of_any_model(client, grpc_client):
    metadata = client.get_model_metadata("pipeline")
    assert metadata == {
        "name": "pipeline",
        "versions": ["1"],
        "platform": "ensemble",
        "inputs": [{"name": name, "datatype": "INT32", "shape": [-1, 16]} for name in ("A", "B")],
        "outputs": [
            {"name": "TOTAL", "datatype": "INT32", "shape": [-1, 1]},
            {"name": "TEXT", "datatype": "BYTES", "shape": [-1, 1]},
            {"name": "DIFFERENCE", "datatype": "INT32", "shape": [-1, 16]},
        ],
    }
    assert grpc_client.get_model_metadata("pipeline").platform == "ensemble"


def test_configuration(client, grpc_client):
    """As measured on a real server: no instance groups, no backend, no file, and a policy that is always there."""
    config = client.get_model_config("pipeline")
    assert (config["platform"], config["backend"], config["default_model_filename"]) == ("ensemble", "", "")
    assert config["instance_group"] == []
    assert "optimization" not in config
    assert config["model_transaction_policy"] == {"decoupled": False}
    first, second = config["ensemble_scheduling"]["step"]
    assert (first["model_name"], first["model_version"]) == ("simple", -1)
    assert first["output_map"] == {"OUTPUT0": "sum", "OUTPUT1": "DIFFERENCE"}
    assert second["input_map"] == {"NUMBERS": "sum"}
    message = grpc_client.get_model_config("pipeline").config
    assert [step.model_name for step in message.ensemble_scheduling.step] == ["simple", "total"]
    assert message.WhichOneof("scheduling_choice") == "ensemble_scheduling"
    assert message.HasField("model_transaction_policy")


def test_classification_has_the_labels_of_the_step(api):
    module, client = api
    scores = np.array([[0.5, 3, -1, 2], [9, 1, 2, 3]], np.float32)
    output = module.InferRequestedOutput("BEST", class_count=2)
    result = client.infer("labelled", [tensor(module, "SCORES", scores)], outputs=[output])
    own = client.infer(
        "labels", [tensor(module, "INPUT0", scores)], outputs=[module.InferRequestedOutput("OUTPUT0", class_count=2)]
    )
    best = result.as_numpy("BEST")
    np.testing.assert_array_equal(best, own.as_numpy("OUTPUT0"))
    assert best.shape == (2, 2)
    assert best[0][0].decode().split(":")[:2] == ["3.000000", "1"] and len(best[0][0].split(b":")) == 3


@pytest.mark.parametrize("text", ["", "a", "é€😀", "x" * 70_000])
def test_texts_between_steps(api, text):
    described = json.loads(texts_of(infer(api, "described", {"text_input": np.array([[text]], np.object_)}), "text_output")[0])
    assert described["parameters"] == {}


def test_what_stands_beside_the_tensors_reaches_the_last_step(api):
    options = {
        "request_id": "mine",
        "sequence_id": 42,
        "sequence_start": True,
        "priority": 2,
        "timeout": 30_000_000,
        "parameters": {"temperature": 7, "label": "x", "flag": True},
    }
    result = infer(api, "described", {"text_input": np.array([["hi"]], np.object_)}, **options)
    assert json.loads(texts_of(result, "text_output")[0]) == {
        "id": "mine",
        "parameters": {"temperature": 7, "label": "x", "flag": True},
        "priority": 2,
        "timeoutUs": 30_000_000,
        "sequenceId": 42,
        "sequenceStart": True,
        "sequenceEnd": False,
    }


def test_parameters_of_a_response(api):
    parameters = {"number": 7, "text": "é", "flag": False}
    result = infer(api, "describe_request", {"text_input": np.array([["hi"]], np.object_)}, parameters=parameters)
    response = result.get_response()
    if isinstance(response, dict):
        assert response["parameters"] == parameters
    else:
        assert {name: value_of(value) for name, value in response.parameters.items()} == parameters


def test_a_step_has_the_version_that_it_names(api):
    """`multi_version` adds its version, 10 is the latest."""
    result = infer(api, "pinned", {"IN": np.array([[100], [200]], np.float32)})
    assert result.as_numpy("OUT").flatten().tolist() == [100 + 2 + 10, 200 + 2 + 10]


def test_a_sequence_goes_through_the_steps(api):
    """Two sequences, one step of one and one of the other: the model with a state is behind one without."""
    module, _ = api
    ids = (7001, 7002) if module is httpclient else (7003, 7004)
    heard = {each: [] for each in ids}
    for nth, number in enumerate([1, 2, 3]):
        for each in ids:
            flags = {"sequence_start": nth == 0, "sequence_end": nth == 2}
            result = infer(api, "summed", {"IN": np.array([[number * each]], np.int32)}, sequence_id=each, **flags)
            heard[each].append((int(result.as_numpy("SUM")[0, 0]), int(result.as_numpy("SEQUENCE")[0, 0])))
    assert heard == {each: [(-each, each), (-3 * each, each), (-6 * each, each)] for each in ids}
    _, message = error_of(api, "summed", {"IN": np.array([[1]], np.int32)}, sequence_id=7999)
    assert message.startswith("in ensemble 'summed', ") and "START flag" in message


def test_a_decoupled_model_or_ensemble_is_refused_over_http(server, client):
    texts = httpclient.InferInput("text_input", [1], "BYTES").set_data_from_numpy(np.array(["a"], np.object_))
    with pytest.raises(InferenceServerException) as refused:
        client.infer("tokens", [texts])
    assert (refused.value.status(), refused.value.message()) == (
        "501",
        "HTTP end point doesn't support models with decoupled transaction policy",
    )
    answer = post_json(server, "/v2/models/repeat_negated/infer", {"inputs": []})
    assert (answer.status, answer.json) == (
        501,
        {"error": "HTTP end point doesn't support models with decoupled transaction policy"},
    )


def test_the_pipeline_of_the_examples_is_served(client):
    """Its first step is a model that imports a package."""
    assert client.is_model_ready("digits_pipeline")
    with pytest.raises(InferenceServerException, match="in ensemble 'digits_pipeline', picture 1 of 1 "):
        client.infer(
            "digits_pipeline",
            [httpclient.InferInput("IMAGE", [1, 1], "BYTES").set_data_from_numpy(np.array([[b"no picture"]], np.object_))],
        )


def test_many_at_once(server):
    inputs = [tensor(httpclient, "A", SIMPLE_A), tensor(httpclient, "B", SIMPLE_B)]
    with httpclient.InferenceServerClient(server.url, concurrency=8) as client:
        pending = [client.async_infer("nested", inputs) for _ in range(200)]
        texts = [texts_of(request.get_result(), "LOUD") for request in pending]
    assert all(text == ["THE SUM IS 168"] for text in texts)
