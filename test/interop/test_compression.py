import gzip
import zlib

import numpy as np
import pytest
import tritonclient.http as httpclient
import tritonclient.http.aio as aioclient
from raw import send
from tensors import assert_simple_result, simple_inputs, simple_outputs

ALGORITHMS = ("gzip", "deflate")
EITHER_OR_NONE = (None, *ALGORITHMS)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("response", EITHER_OR_NONE)
@pytest.mark.parametrize("request_", EITHER_OR_NONE)
def test_requests_and_responses_may_be_compressed(client, request_, response, binary):
    result = client.infer(
        "simple",
        simple_inputs(binary, binary),
        outputs=simple_outputs(binary, binary),
        request_compression_algorithm=request_,
        response_compression_algorithm=response,
    )
    assert_simple_result(result)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_asyncio_client_compresses_too(server, run_async, algorithm):
    async def ask():
        async with aioclient.InferenceServerClient(server.url) as client:
            return await client.infer(
                "simple",
                simple_inputs(),
                request_compression_algorithm=algorithm,
                response_compression_algorithm=algorithm,
            )

    assert_simple_result(run_async(ask()))


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("deflate, gzip", "deflate"),
        ("gzip;q=0.5, deflate;q=0.9", "deflate"),
        ("gzip;q=0", None),
        ("br", None),
        ("identity", None),
    ],
)
def test_the_response_is_compressed_as_accepted(server, accepted, encoding):
    answer = infer(server, {"Accept-Encoding": accepted})
    assert answer.status == 200
    assert answer.headers["Content-Encoding"] == encoding
    plain = {"gzip": gzip.decompress, "deflate": zlib.decompress, None: bytes}[encoding](answer.body)
    # The length of the head is that of the plain bytes.
    head_bytes = int(answer.headers["Inference-Header-Content-Length"])
    result = httpclient.InferenceServerClient.parse_response_body(plain, header_length=head_bytes)
    assert_simple_result(result)


def test_an_unknown_request_encoding_is_refused(server):
    assert infer(server, {"Content-Encoding": "br"}).status == 501


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_broken_compressed_body_is_the_clients_error(server, algorithm):
    answer = infer(server, {"Content-Encoding": algorithm})
    assert answer.status == 400
    assert answer.json["error"]


def infer(server, headers):
    body, head_bytes = httpclient.InferenceServerClient.generate_request_body(simple_inputs(), outputs=simple_outputs())
    headers = {"Inference-Header-Content-Length": str(head_bytes), **headers}
    return send(server, "POST", "/v2/models/simple/infer", body, headers)


def test_a_large_tensor_survives_both_ways(client):
    rows = np.arange(8 * 16, dtype=np.int32).reshape(8, 16)
    result = client.infer(
        "simple",
        simple_inputs(a=rows, b=rows),
        request_compression_algorithm="gzip",
        response_compression_algorithm="gzip",
    )
    assert_simple_result(result, rows, rows)
