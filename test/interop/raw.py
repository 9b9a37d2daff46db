"""Requests by http.client, for what tritonclient never sends."""

import http.client
import json
from dataclasses import dataclass
from typing import Any, Mapping, Optional

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
