"""tritonclient's own shared memory, as its examples use it, against a server that allows it."""

import fcntl
import tempfile
from pathlib import Path
from queue import Queue

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
import tritonclient.utils.shared_memory as shm
from server import copy_models, running_server
from tensors import SIMPLE_A, SIMPLE_B
from test_perf_analyzer import assert_complete, run_perf_analyzer
from tritonclient.utils import InferenceServerException, serialize_byte_tensor, serialized_byte_size

NAMES = ["input_simple", "output_simple"]
SIZE = SIMPLE_A.nbytes


@pytest.fixture(scope="module", autouse=True)
def one_at_a_time():
    """Keys of shared memory are the machine's, and perf_analyzer always has the same: two runs of these tests would cut each other's."""
    with open(Path(tempfile.gettempdir()) / "conch-interop-shared-memory.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="module")
def allowing(tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("shm")
    copy_models(folder / "models")
    flags = ["--allow-client-shm=true", f"--grpc-engine={request.config.getoption('--grpc-engine')}"]
    engine = request.config.getoption("--http-engine")
    with running_server(folder / "models", folder / "server.log", engine, flags) as running:
        yield running


@pytest.fixture(params=["http", "grpc"])
def kit(allowing, request):
    """A client, and the module that it comes from."""
    module = {"http": httpclient, "grpc": grpcclient}[request.param]
    url = {"http": allowing.url, "grpc": allowing.grpc_url}[request.param]
    with module.InferenceServerClient(url) as client:
        # As perf_analyzer begins.
        client.unregister_system_shared_memory()
        client.unregister_cuda_shared_memory()
        yield client, module
        client.unregister_system_shared_memory()


@pytest.fixture
def regions():
    """Room for two inputs and for two outputs of `simple`, under keys of their own."""
    handles = [shm.create_shared_memory_region(name, f"/conch_{name}", 2 * SIZE) for name in NAMES]
    yield handles
    for handle in handles:
        shm.destroy_shared_memory_region(handle)


def register(client):
    for name in NAMES:
        client.register_system_shared_memory(name, f"/conch_{name}", 2 * SIZE)


def names(client):
    status = client.get_system_shared_memory_status()
    return [region["name"] for region in status] if isinstance(status, list) else sorted(status.regions)


def tensors(module):
    """Inputs and outputs in the regions, one behind the other."""
    inputs = [module.InferInput(name, [1, 16], "INT32") for name in ("INPUT0", "INPUT1")]
    outputs = [module.InferRequestedOutput(name) for name in ("OUTPUT0", "OUTPUT1")]
    for nth in range(2):
        inputs[nth].set_shared_memory(NAMES[0], SIZE, offset=nth * SIZE)
        outputs[nth].set_shared_memory(NAMES[1], SIZE, offset=nth * SIZE)
    return inputs, outputs


def results(handle):
    return [shm.get_contents_as_numpy(handle, np.int32, [1, 16], offset=nth * SIZE) for nth in range(2)]


def test_simple_in_regions(kit, regions):
    client, module = kit
    register(client)
    assert names(client) == NAMES
    inputs, outputs = tensors(module)
    for turn in range(3):
        a = SIMPLE_A + turn
        shm.set_shared_memory_region(regions[0], [a, SIMPLE_B])
        result = client.infer("simple", inputs, outputs=outputs, request_id=str(turn))
        np.testing.assert_array_equal(results(regions[1])[0], a + SIMPLE_B)
        np.testing.assert_array_equal(results(regions[1])[1], a - SIMPLE_B)
        output = result.get_output("OUTPUT0")
        described = output if isinstance(output, dict) else {"shape": list(output.shape), "datatype": output.datatype}
        assert (described["shape"], described["datatype"]) == ([1, 16], "INT32")
    client.unregister_system_shared_memory(NAMES[0])
    assert names(client) == NAMES[1:]
    client.unregister_system_shared_memory()
    assert names(client) == []
    with pytest.raises(InferenceServerException, match="Unable to find shared memory region: 'input_simple'"):
        client.infer("simple", inputs, outputs=outputs)


def test_one_tensor_in_a_region_and_one_in_the_request(kit, regions):
    client, module = kit
    register(client)
    shm.set_shared_memory_region(regions[0], [SIMPLE_A])
    inputs, outputs = tensors(module)
    inputs[1] = module.InferInput("INPUT1", [1, 16], "INT32").set_data_from_numpy(SIMPLE_B)
    outputs[1] = module.InferRequestedOutput("OUTPUT1")
    result = client.infer("simple", inputs, outputs=outputs)
    np.testing.assert_array_equal(results(regions[1])[0], SIMPLE_A + SIMPLE_B)
    np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), SIMPLE_A - SIMPLE_B)


def test_strings_in_regions(kit):
    client, module = kit
    values = np.array([["", "one", "größer"]], dtype=object)
    size = serialized_byte_size(serialize_byte_tensor(values))
    handle = shm.create_shared_memory_region("strings", "/conch_strings", 2 * size)
    try:
        client.register_system_shared_memory("strings", "/conch_strings", 2 * size)
        shm.set_shared_memory_region(handle, [serialize_byte_tensor(values)])
        tensor = module.InferInput("INPUT0", [1, 3], "BYTES")
        tensor.set_shared_memory("strings", size)
        output = module.InferRequestedOutput("OUTPUT0")
        output.set_shared_memory("strings", size, offset=size)
        client.infer("identity_bytes", [tensor], outputs=[output])
        found = shm.get_contents_as_numpy(handle, np.object_, [1, 3], offset=size)
        assert [text.decode() for text in found[0]] == list(values[0])
    finally:
        shm.destroy_shared_memory_region(handle)


def test_streams(allowing, regions):
    with grpcclient.InferenceServerClient(allowing.grpc_url) as client:
        client.unregister_system_shared_memory()
        register(client)
        shm.set_shared_memory_region(regions[0], [SIMPLE_A, SIMPLE_B])
        inputs, outputs = tensors(grpcclient)
        answers: Queue = Queue()
        client.start_stream(lambda result, error: answers.put((result, error)))
        for turn in range(3):
            client.async_stream_infer("simple", inputs, outputs=outputs, request_id=str(turn))
            result, error = answers.get(timeout=30)
            assert error is None and result.get_response().id == str(turn)
            np.testing.assert_array_equal(results(regions[1])[0], SIMPLE_A + SIMPLE_B)
        outputs[0].set_shared_memory(NAMES[1], SIZE - 1)
        client.async_stream_infer("simple", inputs, outputs=outputs)
        _, error = answers.get(timeout=30)
        assert "should be at least 64 bytes to hold the results" in error.message()
        client.stop_stream()
        client.unregister_system_shared_memory()


@pytest.mark.parametrize("arguments", [("http", ()), ("grpc", ()), ("grpc", ("--streaming",)), ("grpc", ("--async",))])
@pytest.mark.parametrize("model", ["simple", "simple_string"])
def test_perf_analyzer(allowing, arguments, model):
    protocol, more = arguments
    shared = ("--shared-memory", "system", "--output-shared-memory-size", "1024", "--concurrency-range", "2")
    shared += ("--string-data", "1") if model == "simple_string" else ()
    assert_complete(run_perf_analyzer(allowing, *shared, *more, model=model, protocol=protocol))


def test_regions_of_a_gpu_are_refused(kit):
    client, _ = kit
    text = "failed to register CUDA shared memory region: 'gpu', GPUs not supported"
    with pytest.raises(InferenceServerException, match=text):
        client.register_cuda_shared_memory("gpu", b"AAAA", 0, 64)


def test_without_the_flag_only_the_status_works(server):
    off = "Client shared memory is disabled. Start the server with '--allow-client-shm=true' to enable."
    for module, url in ((httpclient, server.url), (grpcclient, server.grpc_url)):
        with module.InferenceServerClient(url) as client:
            assert names(client) == []
            with pytest.raises(InferenceServerException, match=off):
                client.register_system_shared_memory("r", "/r", 64)
