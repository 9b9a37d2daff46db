"""The frames of the gRPC port in the eyes of the Python package h2: whatever a client may send, every answer is one it accepts."""

import random
import select
import socket

import h2.config
import h2.connection
import h2.events
import h2.settings
import numpy as np
import pytest
from server import Server, copy_models, running_server
from tensors import SIMPLE_A, SIMPLE_B
from tritonclient.grpc import service_pb2

LIVE = "/inference.GRPCInferenceService/ServerLive"
INFER = "/inference.GRPCInferenceService/ModelInfer"


def framed(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message


def infer_request() -> bytes:
    request = service_pb2.ModelInferRequest(model_name="simple")
    for name, values in (("INPUT0", SIMPLE_A), ("INPUT1", SIMPLE_B)):
        request.inputs.add(name=name, datatype="INT32", shape=list(values.shape))
        request.raw_input_contents.append(values.tobytes())
    return request.SerializeToString()


EXPECTED = (SIMPLE_A + SIMPLE_B).astype(np.int32).tobytes()


class Peer:
    """A client that does at random what RFC 9113 lets it do. A frame that h2 does not accept raises in `read`."""

    def __init__(self, port: int, seed: int):
        self.random = random.Random(seed)
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.bodies: dict[int, bytes] = {}
        self.trailers: dict[int, dict[str, str]] = {}
        self.paths: dict[int, str] = {}
        self.left: dict[int, bytes] = {}
        self.gone: set[int] = set()
        # h2 takes any acknowledgement for that of its last settings: one at a time.
        self.settings_are_out = True
        self.flush()
        while self.settings_are_out:
            self.read()

    def flush(self) -> None:
        """Sends what there is in pieces of any size."""
        data = self.h2.data_to_send()
        while data:
            size = self.random.choice([1, 2, 7, 9, 50, 1000, len(data)])
            self.socket.sendall(data[:size])
            data = data[size:]

    def open(self, path: str, body: bytes) -> None:
        stream = self.h2.get_next_available_stream_id()
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "localhost"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            (f"x-{self.random.randrange(5)}", "v" * self.random.randrange(300)),
        ]
        priority = {"priority_weight": 7, "priority_exclusive": True} if self.random.random() < 0.3 else {}
        self.h2.send_headers(stream, headers, **priority)
        self.paths[stream] = path
        self.bodies[stream] = b""
        self.left[stream] = body

    def send_some(self, stream: int) -> None:
        body = self.left[stream]
        size = min(self.random.choice([0, 1, 5, 60, len(body)]), len(body), self.h2.local_flow_control_window(stream) - 10)
        is_last = size == len(body)
        padding = self.random.choice([None, 0, 9])
        self.h2.send_data(stream, body[:size], end_stream=is_last, pad_length=padding)
        self.left[stream] = body[size:]
        if is_last:
            del self.left[stream]

    def fiddle(self) -> None:
        action = self.random.randrange(6)
        if action == 0:
            self.h2.ping(self.random.randbytes(8))
        elif action == 1 and not self.settings_are_out:
            self.settings_are_out = True
            table = self.random.choice([0, 100, 4096])
            window = self.random.choice([50, 1000, 65_535])
            self.h2.update_settings(
                {h2.settings.SettingCodes.HEADER_TABLE_SIZE: table, h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window}
            )
        elif action == 2:
            self.h2.increment_flow_control_window(self.random.randrange(1, 1000))
        elif action == 3 and self.paths:
            stream = self.random.choice(list(self.paths))
            if stream not in self.trailers and stream not in self.gone and self.random.random() < 0.3:
                self.h2.reset_stream(stream, 8)
                self.gone.add(stream)
                self.left.pop(stream, None)
        elif action == 4:
            self.h2.prioritize(self.random.randrange(101, 999, 2), weight=3, depends_on=0)

    def read(self) -> None:
        data = self.socket.recv(1 << 16)
        assert data, "the server closed the connection"
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                self.bodies[event.stream_id] += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.SettingsAcknowledged):
                self.settings_are_out = False
            elif isinstance(event, h2.events.TrailersReceived):
                self.trailers[event.stream_id] = dict(event.headers)
            elif isinstance(event, h2.events.StreamReset):
                assert event.stream_id in self.gone or event.error_code == 0, event
            elif isinstance(event, h2.events.ConnectionTerminated):
                raise AssertionError(f"the server ended the connection: {event}")
        self.flush()

    def read_what_is_there(self) -> None:
        while select.select([self.socket], [], [], 0)[0]:
            self.read()

    def is_answered(self) -> bool:
        return all(stream in self.trailers or stream in self.gone for stream in self.paths)


@pytest.fixture(scope="module")
def patient(tmp_path_factory, request) -> Server:
    """A server that lets its clients ping as often as RFC 9113 does: as often as they like."""
    folder = tmp_path_factory.mktemp("patient")
    copy_models(folder / "models")
    engine = request.config.getoption("--grpc-engine")
    flags = [f"--grpc-engine={engine}", "--grpc-http2-max-ping-strikes=0"]
    with running_server(folder / "models", folder / "server.log", flags=flags) as running:
        yield running


@pytest.mark.parametrize("seed", range(12))
def test_any_sequence_of_frames_is_answered_in_frames_that_h2_accepts(patient, seed):
    peer = Peer(patient.grpc_port, seed)
    choose = peer.random
    for _ in range(60):
        if len(peer.left) < 8 and choose.random() < 0.5:
            path = choose.choice([LIVE, INFER])
            peer.open(path, framed(b"" if path == LIVE else infer_request()))
        if peer.left:
            peer.send_some(choose.choice(list(peer.left)))
        peer.fiddle()
        peer.flush()
        peer.read_what_is_there()
    while peer.left:
        peer.send_some(choose.choice(list(peer.left)))
        peer.flush()
    while not peer.is_answered():
        peer.read()
    peer.socket.close()
    for stream, path in peer.paths.items():
        if stream in peer.gone:
            continue
        assert peer.trailers[stream]["grpc-status"] == "0", peer.trailers[stream]
        message = peer.bodies[stream][5:]
        assert len(message) == int.from_bytes(peer.bodies[stream][1:5], "big")
        if path == LIVE:
            assert service_pb2.ServerLiveResponse.FromString(message).live
        else:
            assert service_pb2.ModelInferResponse.FromString(message).raw_output_contents[0] == EXPECTED
