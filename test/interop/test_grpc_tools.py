"""What other programs ask: health, reflection, messages as KServe writes them; and encryption."""

import subprocess

import grpc
import numpy as np
import pytest
import tritonclient.grpc as grpcclient
from google.protobuf import descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_tensors import simple_grpc_inputs
from server import copy_models, running_server
from tensors import SIMPLE_A, SIMPLE_B, assert_simple_result
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

SERVICE = "inference.GRPCInferenceService"


@pytest.fixture
def channel(server):
    with grpc.insecure_channel(server.grpc_url) as opened:
        yield opened


@pytest.fixture
def stub(channel):
    return service_pb2_grpc.GRPCInferenceServiceStub(channel)


@pytest.mark.parametrize("service", ["", SERVICE, "whatever"])
def test_health_check(channel, service):
    answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_health_watch(channel):
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()


def test_a_call_with_nothing_but_reflection(channel):
    """Messages and method are learnt from the server, as grpcurl does it."""
    database = ProtoReflectionDescriptorDatabase(channel)
    assert SERVICE in database.get_services()
    pool = descriptor_pool.DescriptorPool(database)
    method = pool.FindServiceByName(SERVICE).FindMethodByName("ModelInfer")
    request = message_factory.GetMessageClass(method.input_type)(model_name="simple", id="r")
    for name, values in (("INPUT0", SIMPLE_A), ("INPUT1", SIMPLE_B)):
        tensor = request.inputs.add(name=name, datatype="INT32", shape=[1, 16])
        tensor.contents.int_contents.extend(values[0].tolist())
        tensor.parameters["unused"].int64_param = 1
    response_class = message_factory.GetMessageClass(method.output_type)
    call = channel.unary_unary(
        f"/{SERVICE}/ModelInfer",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response_class.FromString,
    )
    response = call(request)
    assert response.id == "r"
    assert np.frombuffer(response.raw_output_contents[0], dtype=np.int32).tolist() == (SIMPLE_A + SIMPLE_B)[0].tolist()


def test_every_message_of_reflection_is_that_of_tritonclient(channel):
    pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    for name, theirs in service_pb2.DESCRIPTOR.message_types_by_name.items():
        ours = pool.FindMessageTypeByName(f"inference.{name}")
        fields = {field.name: (field.number, field.type, field.label) for field in ours.fields}
        expected = {field.name: (field.number, field.type, field.label) for field in theirs.fields}
        assert fields == expected, name


def test_typed_contents_as_kserve_sends_them(stub):
    request = service_pb2.ModelInferRequest(model_name="identity_bytes", id="k")
    tensor = request.inputs.add(name="INPUT0", datatype="BYTES", shape=[1, 2])
    tensor.contents.bytes_contents.extend([b"one", "größer".encode()])
    response = stub.ModelInfer(request)
    assert response.raw_output_contents[0] == b"\3\0\0\0one\x08\0\0\0" + "größer".encode()
    assert response.outputs[0].datatype == "BYTES"


@pytest.mark.parametrize(
    ("model", "datatype", "field", "values", "dtype"),
    [
        ("identity_bool", "BOOL", "bool_contents", [True, False], np.bool_),
        ("identity_int8", "INT8", "int_contents", [-128, 127], np.int8),
        ("identity_int64", "INT64", "int64_contents", [-(2**63), 2**63 - 1], np.int64),
        ("identity_uint16", "UINT16", "uint_contents", [0, 65535], np.uint16),
        ("identity_uint64", "UINT64", "uint64_contents", [0, 2**64 - 1], np.uint64),
        ("identity_fp32", "FP32", "fp32_contents", [0.5, float("inf")], np.float32),
        ("identity_fp64", "FP64", "fp64_contents", [0.1, -1e300], np.float64),
    ],
)
def test_typed_contents(stub, model, datatype, field, values, dtype):
    request = service_pb2.ModelInferRequest(model_name=model)
    getattr(request.inputs.add(name="INPUT0", datatype=datatype, shape=[1, 2]).contents, field).extend(values)
    returned = np.frombuffer(stub.ModelInfer(request).raw_output_contents[0], dtype=dtype)
    np.testing.assert_array_equal(returned, np.array(values, dtype=dtype))


def test_a_load_as_kserve_sends_it_is_understood(channel):
    load = channel.unary_unary(f"/{SERVICE}/RepositoryModelLoad")
    with pytest.raises(grpc.RpcError) as caught:
        load(b"\x0a\x01m")
    # As Triton's client is answered in this mode; a name of a repository would be UNIMPLEMENTED.
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert caught.value.details() == "explicit model load / unload is not allowed if polling is enabled"


def test_unknown_methods(channel):
    for path in (f"/{SERVICE}/Nothing", "/nothing.Service/Nothing"):
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(path)(b"")
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def make_certificate(folder, name: str):
    key, cert = folder / f"{name}.key", folder / f"{name}.pem"
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-x509", "-days", "2"]
    subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(["openssl", "req", *made, *subject, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


@pytest.mark.parametrize("mutual", [False, True])
def test_encryption(tmp_path, request, mutual):
    models = tmp_path / "models"
    copy_models(models)
    for model in models.iterdir():
        if model.name != "simple":
            subprocess.run(["rm", "-r", model], check=True)
    cert, key = make_certificate(tmp_path, "server")
    client_cert, client_key = make_certificate(tmp_path, "client")
    engine = f"--grpc-engine={request.config.getoption('--grpc-engine')}"
    flags = [engine, f"--grpc-server-cert={cert}", f"--grpc-server-key={key}"]
    flags += [f"--grpc-root-cert={client_cert}", "--grpc-use-ssl-mutual=true"] if mutual else ["--grpc-use-ssl=true"]
    with running_server(models, tmp_path / "server.log", flags=flags) as server:
        url = f"localhost:{server.grpc_port}"
        own = {"private_key": str(client_key), "certificate_chain": str(client_cert)} if mutual else {}
        with grpcclient.InferenceServerClient(url, ssl=True, root_certificates=str(cert), **own) as client:
            assert_simple_result(client.infer("simple", simple_grpc_inputs()))
        with grpcclient.InferenceServerClient(url) as client, pytest.raises(InferenceServerException):
            client.is_server_live(client_timeout=2)
        if mutual:
            with grpcclient.InferenceServerClient(url, ssl=True, root_certificates=str(cert)) as client:
                with pytest.raises(InferenceServerException):
                    client.is_server_live(client_timeout=2)
