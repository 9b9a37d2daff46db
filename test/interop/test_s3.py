"""Models in S3. `npm test` has the faults; here is what its server does not have: keys that are no paths, uploads in parts, long listings."""

import os
import urllib.request
from pathlib import Path

import boto3
import numpy as np
import pytest
import tritonclient.http as httpclient
from boto3.s3.transfer import TransferConfig
from moto.server import ThreadedMotoServer
from server import ROOT, running_server

BUCKET = "models"
KEYS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
PART_BYTES = 5 * 1024 * 1024


class Store:
    def __init__(self, endpoint: str):
        self.endpoint = endpoint
        self.client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="id",
            aws_secret_access_key="secret",
        )
        self.client.create_bucket(Bucket=BUCKET)

    def url(self, path: str) -> str:
        return f"s3://{self.endpoint}/{BUCKET}/{path}"

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def put_model(self, prefix: str, name: str) -> None:
        folder = ROOT / "examples/models" / name
        for file in folder.rglob("*"):
            if file.is_file():
                self.put(f"{prefix}/{name}/{file.relative_to(folder)}", file.read_bytes())


@pytest.fixture
def store():
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    try:
        yield Store(f"http://{host}:{port}")
    finally:
        # What it stores belongs to the process.
        reset = urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")
        urllib.request.urlopen(reset).close()
        moto.stop()


@pytest.fixture
def serve(tmp_path):
    """Starts a server on a URL; its cache is below `tmp_path / "cache"`, its log is `tmp_path / "log"`."""
    (tmp_path / "cache").mkdir()

    def start(url: str, *flags: str, **env: str):
        environment = {**KEYS, "TRITON_AWS_MOUNT_DIRECTORY": str(tmp_path / "cache"), **env}
        return running_server(url, tmp_path / "log", flags=flags, env=environment)

    return start


def infers(url: str) -> bool:
    """Whether `simple` adds."""
    rows = [np.arange(16, dtype=np.int32).reshape(1, 16), np.ones((1, 16), dtype=np.int32)]
    inputs = []
    for index, row in enumerate(rows):
        tensor = httpclient.InferInput(f"INPUT{index}", row.shape, "INT32")
        tensor.set_data_from_numpy(row)
        inputs.append(tensor)
    with httpclient.InferenceServerClient(url) as client:
        return np.array_equal(client.infer("simple", inputs).as_numpy("OUTPUT0"), rows[0] + rows[1])


def cached(tmp_path: Path, path: str) -> Path:
    [found] = (tmp_path / "cache").glob(f"*/*/models/{path}")
    return found


def test_objects_uploaded_in_parts(store, serve, tmp_path):
    store.put_model("live", "simple")
    content = os.urandom(2 * PART_BYTES + 17)
    (tmp_path / "weights").write_bytes(content)
    parts = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES)
    store.client.upload_file(str(tmp_path / "weights"), BUCKET, "live/simple/1/weights", Config=parts)
    etag = store.client.head_object(Bucket=BUCKET, Key="live/simple/1/weights")["ETag"]
    assert etag.endswith('-3"'), etag
    with serve(store.url("live")) as server:
        assert infers(server.url)
        assert cached(tmp_path, "simple/1/weights").read_bytes() == content


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("bad/../../../../../../../evil", "'..' as a name"),
        ("bad//1/evil", "an empty name"),
        ("/etc/evil", "an empty name"),
        ("../evil", "'..' as a name"),
        ("bad/1/evil\x01", "a control character"),
        ("bad/" + "evil" * 70, "a name of more than 255 bytes"),
    ],
)
def test_keys_that_are_no_paths_are_refused_by_name(store, serve, tmp_path, key, found):
    store.put_model("live", "simple")
    store.put(f"live/{key}", b"evil")
    with serve(store.url("live"), "--exit-on-error=false") as server:
        assert infers(server.url)
    assert found in (tmp_path / "log").read_text()
    assert not [file for file in tmp_path.rglob("*") if "evil" in file.name]


def test_odd_keys_that_are_paths(store, serve, tmp_path):
    store.put_model("live", "simple")
    names = ["a b", "a+b", "a%20b", "ü", "&<>\"'", "?#", "=;,:@$!*()"]
    for name in names:
        store.put(f"live/simple/odd/{name}", name.encode())
    with serve(store.url("live")):
        for name in names:
            assert (cached(tmp_path, "simple/odd") / name).read_text() == name


def test_more_objects_than_a_listing_has(store, serve, tmp_path):
    store.put_model("live", "simple")
    for index in range(1050):
        store.put(f"live/simple/many/{index}", b"")
    store.put("live/README.md", b"no model")
    store.put("live/.git/config", b"no model")
    with serve(store.url("live")) as server:
        assert infers(server.url)
        assert len(list(cached(tmp_path, "simple/many").iterdir())) == 1050
        assert [model.name for model in cached(tmp_path, "simple").parent.iterdir()] == ["simple"]


def test_the_endpoint_in_the_environment(store, serve):
    store.put_model("live", "simple")
    with serve(f"s3://{BUCKET}/live", AWS_ENDPOINT_URL=store.endpoint) as server:
        assert infers(server.url)


def test_keys_in_profile_files(store, serve, tmp_path):
    store.put_model("live", "simple")
    (tmp_path / "credentials").write_text("[work]\naws_access_key_id = id\naws_secret_access_key = secret\n")
    (tmp_path / "config").write_text("[profile work]\nregion = eu-west-1\n")
    files = {
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_PROFILE": "work",
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "AWS_DEFAULT_REGION": "",
    }
    with serve(store.url("live"), **files) as server:
        assert infers(server.url)
