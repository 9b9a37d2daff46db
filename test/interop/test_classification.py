import numpy as np
import pytest
import tritonclient.http as httpclient
from raw import send
from tensors import make_input
from tritonclient.utils import InferenceServerException


@pytest.fixture
def digits(client):
    """Metadata of the example `digits`: one image in, a score for each of ten labels out."""
    return client.get_model_metadata("digits")


def images(digits, rows: int) -> np.ndarray:
    shape = [rows] + [1 if dim == -1 else dim for dim in digits["inputs"][0]["shape"][1:]]
    dtype = {"FP32": np.float32, "UINT8": np.uint8}[digits["inputs"][0]["datatype"]]
    return (np.random.default_rng(7).random(shape) * 16).astype(dtype)


def classify(client, digits, values, count, binary=True):
    output = httpclient.InferRequestedOutput(digits["outputs"][0]["name"], binary_data=binary, class_count=count)
    result = client.infer("digits", [make_input(digits["inputs"][0]["name"], values)], outputs=[output])
    texts = result.as_numpy(digits["outputs"][0]["name"])
    return np.array([text.decode() if isinstance(text, bytes) else text for text in texts.flatten()]).reshape(texts.shape)


def scores(client, digits, values) -> np.ndarray:
    result = client.infer("digits", [make_input(digits["inputs"][0]["name"], values)])
    return result.as_numpy(digits["outputs"][0]["name"])


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("rows", [1, 3])
def test_the_best_classes_of_each_row_with_value_index_and_label(client, digits, rows, binary):
    values = images(digits, rows)
    texts = classify(client, digits, values, 3, binary)
    assert texts.shape == (rows, 3)
    for row, row_scores in zip(texts, scores(client, digits, values)):
        best = np.argsort(-row_scores.astype(np.float64), kind="stable")[:3]
        parts = [text.split(":") for text in row]
        assert [int(index) for _, index, _ in parts] == best.tolist()
        assert [value for value, _, _ in parts] == [f"{row_scores[index]:.6f}" for index in best]
        assert all(label for _, _, label in parts)


def test_no_more_classes_than_there_are(client, digits):
    assert classify(client, digits, images(digits, 1), 1000).shape == (1, 10)


def test_classes_without_labels_have_none(client):
    result = client.infer(
        "simple",
        [make_input(name, np.arange(16, dtype=np.int32).reshape(1, 16)) for name in ("INPUT0", "INPUT1")],
        outputs=[httpclient.InferRequestedOutput("OUTPUT0", class_count=2)],
    )
    assert result.get_output("OUTPUT0")["datatype"] == "BYTES"
    assert result.as_numpy("OUTPUT0").tolist() == [[b"30:15", b"28:14"]]


def ask_labels(server, rows: str, count: int, shape):
    """The model `labels` gives back its input; its labels are zero, one and two, the fourth class has none. `rows` are literals of JSON."""
    body = (
        f'{{"inputs":[{{"name":"INPUT0","datatype":"FP32","shape":{shape},"data":{rows}}}],'
        f'"outputs":[{{"name":"OUTPUT0","parameters":{{"classification":{count}}}}}]}}'
    )
    return send(server, "POST", "/v2/models/labels/infer", body.encode())


def test_classes_beyond_the_labels_have_none(server):
    answer = ask_labels(server, "[1,4,2,3, 0.5,-1,1e10,7]", 2, [2, 4])
    assert answer.json["outputs"] == [
        {
            "name": "OUTPUT0",
            "datatype": "BYTES",
            "shape": [2, 2],
            "data": ["4.000000:1:one", "3.000000:3", "10000000000.000000:2:two", "7.000000:3"],
        }
    ]


def test_values_are_written_as_printf_writes_them(server):
    answer = ask_labels(server, "[-Infinity,Infinity,-1e-9,123456.7890625]", 4, [1, 4])
    expected = ["inf:1:one", "123456.789062:3", "-0.000000:2:two", "-inf:0:zero"]
    assert answer.json["outputs"][0]["data"] == expected


def test_a_nan_has_its_place(server):
    data = ask_labels(server, "[NaN,1,2,3]", 4, [1, 4]).json["outputs"][0]["data"]
    assert sorted(data) == ["1.000000:1:one", "2.000000:2:two", "3.000000:3", "nan:0:zero"]


def test_no_classes_are_the_tensor_itself(server):
    (output,) = ask_labels(server, "[1,2,3,4]", 0, [1, 4]).json["outputs"]
    assert output == {"name": "OUTPUT0", "datatype": "FP32", "shape": [1, 4], "data": [1.0, 2.0, 3.0, 4.0]}


@pytest.mark.parametrize("count", ["-1", "1.5", '"1"', "true"])
def test_a_count_of_classes_is_a_whole_number(server, count):
    answer = ask_labels(server, "[1,2,3,4]", count, [1, 4])
    assert answer.status == 400
    assert answer.json["error"].startswith("Unable to set 'classification': ")


def test_a_model_without_batch_has_one_row_of_classes(client):
    values = np.array([[1, 4], [3, 2]], dtype=np.float32)
    output = httpclient.InferRequestedOutput("OUTPUT0", class_count=3)
    result = client.infer("identity_nobatch", [make_input("INPUT0", values)], outputs=[output])
    assert result.as_numpy("OUTPUT0").tolist() == [b"4.000000:1", b"3.000000:2", b"2.000000:3"]


@pytest.mark.parametrize("datatype", ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"])
def test_integers_are_written_plain_and_compared_exactly(client, datatype):
    limits = np.iinfo(datatype)
    values = np.array([[limits.max - 1, limits.max, limits.min]], dtype=datatype)
    output = httpclient.InferRequestedOutput("OUTPUT0", class_count=2)
    result = client.infer(f"identity_{datatype}", [make_input("INPUT0", values)], outputs=[output])
    expected = [f"{limits.max}:1".encode(), f"{limits.max - 1}:0".encode()]
    assert result.as_numpy("OUTPUT0").tolist() == [expected]


@pytest.mark.parametrize(
    ("datatype", "values"),
    [("bytes", np.array([[b"a"]], dtype=np.object_)), ("bool", np.array([[True]])), ("fp16", np.float16([[1]]))],
)
def test_datatypes_without_classes(client, datatype, values):
    output = httpclient.InferRequestedOutput("OUTPUT0", class_count=1)
    with pytest.raises(InferenceServerException) as caught:
        client.infer(f"identity_{datatype}", [make_input("INPUT0", values)], outputs=[output])
    assert caught.value.status() == "400"
    name = {"bytes": "BYTES", "bool": "BOOL", "fp16": "FP16"}[datatype]
    assert caught.value.message() == f"class result not available for output due to unsupported type '{name}'"
