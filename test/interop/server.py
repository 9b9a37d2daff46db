"""The real server as a process of its own, on free ports of 127.0.0.1."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
READY_TIMEOUT_SECONDS = 180
STOP_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Server:
    http_port: int
    metrics_port: int
    grpc_port: int

    @property
    def url(self) -> str:
        """As tritonclient wants it: without a scheme."""
        return f"127.0.0.1:{self.http_port}"

    @property
    def grpc_url(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"


def copy_models(repository: Path) -> None:
    """One repository of the examples, of the models for tests, and of those beside this file; of one name the last counts."""
    for source in ("examples/models", "test/models", "test/interop/models"):
        for model in sorted((ROOT / source).iterdir()):
            if model.is_dir():
                shutil.copytree(model, repository / model.name, dirs_exist_ok=True)
    # Where models written in JavaScript find the packages that they import.
    (repository.parent / "node_modules").symlink_to(ROOT / "node_modules")


def free_ports(count: int) -> list[int]:
    """All are held until all are known, so they differ."""
    holders = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [holder.getsockname()[1] for holder in holders]
    for holder in holders:
        holder.close()
    return ports


def is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/v2/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def await_ready(process: subprocess.Popen, port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_SECONDS
    while not is_ready(port):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended before it was ready:\n{log.read_text()}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"the server was not ready in time:\n{log.read_text()}")
        time.sleep(0.02)


@contextmanager
def running_server(
    repository: Path | str, log: Path, engine: str = "auto", flags: Sequence[str] = (), env: Mapping[str, str] = {}
) -> Iterator[Server]:
    """Ends it with SIGTERM, and expects it to end well. `env` is added to our own environment."""
    server = Server(*free_ports(3))
    command = [
        "node",
        str(ROOT / "dist/src/main.js"),
        "serve",
        f"--model-repository={repository}",
        "--http-address=127.0.0.1",
        f"--http-port={server.http_port}",
        f"--metrics-port={server.metrics_port}",
        f"--http-engine={engine}",
        f"--grpc-port={server.grpc_port}",
        *flags,
    ]
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **env})
    try:
        await_ready(process, server.http_port, log)
        yield server
        process.send_signal(signal.SIGTERM)
        code = process.wait(STOP_TIMEOUT_SECONDS)
        assert code == 0, f"the server ended with {code}:\n{log.read_text()}"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
