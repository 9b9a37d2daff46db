"""HTTP as other clients than Python's write it, byte by byte."""

import json
import socket

import pytest
import tritonclient.http as httpclient
from tensors import simple_inputs, simple_outputs

ONES = {"datatype": "INT32", "shape": [1, 16], "data": [1] * 16}
BODY = json.dumps({"inputs": [{"name": "INPUT0", **ONES}, {"name": "INPUT1", **ONES}]}).encode()
POST = b"POST /v2/models/simple/infer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


def connect(server) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.http_port), timeout=30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def read_all(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    answer = b""
    while part := connection.recv(1 << 16):
        answer += part
    return answer


def talk(server, *pieces: bytes) -> bytes:
    with connect(server) as connection:
        for piece in pieces:
            connection.sendall(piece)
        return read_all(connection)


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def assert_sum(answer: bytes) -> None:
    head, _, body = answer.rpartition(b"\r\n\r\n")
    assert b"HTTP/1.1 200 OK" in head
    assert json.loads(body)["outputs"][0]["data"] == [2] * 16


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_bodies_in_chunks(server, size):
    chunks = [chunk(BODY[begin : begin + size]) for begin in range(0, len(BODY), size)]
    assert_sum(talk(server, POST + b"Transfer-Encoding: chunked\r\n\r\n", *chunks, b"0\r\n\r\n"))


def test_a_binary_body_in_small_pieces(server):
    body, head_bytes = httpclient.InferenceServerClient.generate_request_body(simple_inputs(), outputs=simple_outputs(False, False))
    head = POST + b"Inference-Header-Content-Length: %d\r\nContent-Length: %d\r\n\r\n" % (head_bytes, len(body))
    answer = talk(server, *[(head + body)[begin : begin + 5] for begin in range(0, len(head + body), 5)])
    assert json.loads(answer.rpartition(b"\r\n\r\n")[2])["outputs"][0]["data"] == list(range(3, 19))


def test_a_client_that_waits_for_continue(server):
    with connect(server) as connection:
        connection.sendall(POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY))
        first = connection.recv(1 << 16)
        assert first.startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(BODY)
        assert_sum(first + read_all(connection))


def test_a_client_that_does_not_wait_for_continue(server):
    """It may be told to continue, or not, where the body is there already (RFC 9110, 10.1.1)."""
    assert_sum(talk(server, POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY), BODY))


def test_an_empty_expectation_expects_nothing(server):
    head = POST + b"Expect:\r\nInference-Header-Content-Length: %d\r\nContent-Length: %d\r\n\r\n" % (len(BODY), len(BODY))
    assert_sum(talk(server, head + BODY))


def test_names_of_headers_in_any_case(server):
    assert_sum(talk(server, POST + b"INFERENCE-HEADER-CONTENT-LENGTH: %d\r\ncontent-length: %d\r\n\r\n" % (len(BODY), len(BODY)), BODY))


def test_gets_that_come_in_one_piece_are_answered_in_order(server):
    live = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    ready = b"GET /v2/health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = talk(server, live * 3 + ready)
    assert answer.count(b"HTTP/1.1 200 OK") == 4
    assert answer.endswith(b'{"ready":true}')


def test_an_error_reads_the_body_and_leaves_the_connection_usable(server):
    wrong = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde"
    good = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = talk(server, wrong + good)
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert answer.endswith(b'{"live":true}')


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Content-Length: abc\r\n\r\n", b"400"),
        (b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", b"400"),
        (b"Content-Length: 1099511627776\r\n\r\n", b"413"),
    ],
)
def test_lengths_that_cannot_be_believed_close_the_connection(server, head, status):
    answer = talk(server, POST + head)
    assert answer.startswith(b"HTTP/1.1 %s " % status)
    assert b"application/json" in answer
    assert b'{"error":"' in answer


def test_clients_that_vanish_leave_the_server_well(server, client):
    before = client.is_server_ready()
    for pieces in ([POST], [POST + b"Content-Length: 1000\r\n\r\n", BODY[:100]], [POST + b"Content-Length: %d\r\n\r\n" % len(BODY), BODY]):
        with socket.create_connection(("127.0.0.1", server.http_port)) as connection:
            for piece in pieces:
                connection.sendall(piece)
    assert before and client.is_server_ready()
    assert_sum(talk(server, POST + b"Content-Length: %d\r\n\r\n" % len(BODY), BODY))
