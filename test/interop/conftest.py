import asyncio

import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from server import Server, copy_models, running_server


def pytest_addoption(parser):
    parser.addoption("--http-engine", default="auto", help="the server's --http-engine: auto, uws or net")
    parser.addoption("--grpc-engine", default="auto", help="the server's --grpc-engine: auto, conch or grpc-js")


@pytest.fixture(scope="session")
def server(tmp_path_factory, request) -> Server:
    """One server for all tests, with the models of `examples/models` and `test/models`."""
    folder = tmp_path_factory.mktemp("server")
    copy_models(folder / "models")
    http_engine = request.config.getoption("--http-engine")
    flags = [f"--grpc-engine={request.config.getoption('--grpc-engine')}"]
    with running_server(folder / "models", folder / "server.log", http_engine, flags) as running:
        yield running


@pytest.fixture
def client(server):
    with httpclient.InferenceServerClient(server.url) as connected:
        yield connected


@pytest.fixture
def grpc_client(server):
    with grpcclient.InferenceServerClient(server.grpc_url) as connected:
        yield connected


@pytest.fixture
def run_async():
    """Runs a coroutine in an event loop of its own."""
    return asyncio.run
