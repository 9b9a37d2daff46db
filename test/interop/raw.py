"""Requests by http.client, for what tritonclient never sends."""

import http.client
import json
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Sequence

from server import Server


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def send(server: Server, method: str, path: str, body: Optional[bytes] = None, headers: Mapping[str, str] = {}) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=30)
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def get(server: Server, path: str) -> Answer:
    return send(server, "GET", path)


def post_json(server: Server, path: str, document: Any) -> Answer:
    return send(server, "POST", path, json.dumps(document).encode(), {"Content-Type": "application/json"})


def binary_infer(
    server: Server, model: str, inputs: Sequence[tuple[str, str, list, bytes]], binary_output: bool = False, tail: bytes = b""
) -> Answer:
    """Inputs (name, datatype, shape, content) as bytes behind the JSON, whatever they are; `tail` comes after them."""
    tensors = [
        {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(content)}}
        for name, datatype, shape, content in inputs
    ]
    head = json.dumps({"inputs": tensors, "parameters": {"binary_data_output": binary_output}}).encode()
    body = head + b"".join(content for _, _, _, content in inputs) + tail
    headers = {"Inference-Header-Content-Length": str(len(head))}
    return send(server, "POST", f"/v2/models/{model}/infer", body, headers)
