"""conch.v1 with the package websockets: the example of docs/websocket.md, and many requests at a time."""

import asyncio
import json
import re
import struct
import subprocess
import sys

import numpy as np
import pytest
from server import ROOT
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus


def test_the_example_of_the_page_prints_what_the_page_says(server):
    page = (ROOT / "docs/websocket.md").read_text()
    code, output = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", page, re.S).groups()
    here = code.replace("127.0.0.1:8000", server.url)
    run = subprocess.run([sys.executable, "-c", here], capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr) == (output, "")


def open_socket(server, path, **options):
    settings = {"subprotocols": ["conch.v1"], "max_size": None, **options}
    return connect(f"ws://{server.url}{path}", **settings)


def binary(head, *tensors):
    text = json.dumps(head).encode()
    return struct.pack("<I", len(text)) + text + b"".join(tensor.tobytes() for tensor in tensors)


def simple(request_id, value):
    ones = np.ones((1, 16), np.int32)
    inputs = [
        {"name": name, "datatype": "INT32", "shape": [1, 16], "parameters": {"binary_data_size": 64}}
        for name in ("INPUT0", "INPUT1")
    ]
    return binary({"id": request_id, "inputs": inputs, "parameters": {"binary_data_output": True}}, ones * value, ones)


def head_and_rest(message):
    if isinstance(message, str):
        return json.loads(message), b""
    (length,) = struct.unpack_from("<I", message)
    return json.loads(message[4 : 4 + length]), message[4 + length :]


def test_many_requests_at_a_time_are_each_answered(server, run_async):
    async def ask(path, count):
        async with open_socket(server, path) as socket:
            assert socket.subprotocol == "conch.v1"

            async def send():
                for value in range(count):
                    await socket.send(simple(str(value), value))

            sending = asyncio.create_task(send())
            ids = []
            for _ in range(count):
                head, rest = head_and_rest(await socket.recv())
                ids.append(int(head["id"]))
                sums = np.frombuffer(rest, np.int32).reshape(2, 16)
                assert (sums[0] == ids[-1] + 1).all() and (sums[1] == ids[-1] - 1).all()
            await sending
            return ids

    async def both():
        path = "/v2/models/simple/infer"
        return await asyncio.gather(ask(path, 300), ask(f"{path}?ordered=1", 300))

    unordered, ordered = run_async(both())
    assert sorted(unordered) == ordered == list(range(300))


def test_errors_come_in_band(server, run_async):
    async def ask():
        async with open_socket(server, "/v2/ws") as socket:
            await socket.send('{"id":"a","model_name":"nope","inputs":[]}')
            missing = json.loads(await socket.recv())
            await socket.send("{")
            broken = json.loads(await socket.recv())
            await socket.send(b"\x01")
            return missing, broken, json.loads(await socket.recv())

    missing, broken, short = run_async(ask())
    assert (missing["id"], missing["status"]) == ("a", 404)
    assert (broken["id"], broken["status"]) == (None, 400)
    assert (short["id"], short["status"]) == (None, 400)


def test_pings_are_answered(server, run_async):
    async def ping():
        async with open_socket(server, "/v2/ws") as socket:
            await (await socket.ping())

    run_async(ping())


@pytest.mark.parametrize(
    ("path", "protocols", "status"),
    [("/v2/models/nope/infer", ["conch.v1"], 404), ("/v2/ws", ["other"], 400), ("/v2/other", ["conch.v1"], 404)],
)
def test_an_upgrade_that_is_refused_says_why(server, run_async, path, protocols, status):
    async def open_it():
        async with open_socket(server, path, subprotocols=protocols):
            pass

    with pytest.raises(InvalidStatus) as refused:
        run_async(open_it())
    response = refused.value.response
    assert response.status_code == status
    assert json.loads(response.body)["error"]


def test_foreign_pages_are_refused(server, run_async):
    async def open_it(origin):
        async with open_socket(server, "/v2/ws", origin=origin) as socket:
            return socket.subprotocol

    assert run_async(open_it(f"http://{server.url}")) == "conch.v1"
    with pytest.raises(InvalidStatus) as refused:
        run_async(open_it("https://elsewhere.example"))
    assert refused.value.response.status_code == 403


def repeat(request_id, numbers, **parameters):
    """Asks `repeat_negated`, in JSON."""
    count = len(numbers)
    inputs = [
        {"name": "IN", "datatype": "INT32", "shape": [count], "data": numbers},
        {"name": "DELAY", "datatype": "UINT32", "shape": [count], "data": [0] * count},
        {"name": "WAIT", "datatype": "UINT32", "shape": [1], "data": [0]},
    ]
    return json.dumps({"id": request_id, "model_name": "repeat_negated", "inputs": inputs, "parameters": parameters})


def numbers_of(message):
    return [output["data"][0] for output in message.get("outputs", []) if output["name"] == "OUT"]


def test_a_decoupled_ensemble_answers_any_number_of_times(server, run_async):
    async def ask():
        async with open_socket(server, "/v2/ws") as socket:
            for count in range(20):
                await socket.send(repeat(str(count), list(range(count)), triton_enable_empty_final_response=True))
            heard = {}
            finals = 0
            while finals < 20:
                message = json.loads(await socket.recv())
                heard.setdefault(message["id"], []).append(numbers_of(message))
                finals += message["parameters"]["triton_final_response"]
            return heard

    heard = run_async(ask())
    for count in range(20):
        # The last says itself that it is, if that is known when it is sent; else an empty one follows.
        numbers = [[-number] for number in range(count)]
        assert heard[str(count)] in ([*numbers, []], numbers or [[]])


def test_an_error_between_answers_is_the_last_message_to_its_request(server, run_async):
    async def ask():
        async with open_socket(server, "/v2/models/tokens/infer") as socket:
            texts = {"name": "text_input", "datatype": "BYTES", "shape": [1], "data": ["a b c"]}
            for request_id, fail_at in (("bad", 2), ("good", -1)):
                await socket.send(json.dumps({"id": request_id, "inputs": [texts], "parameters": {"fail_at": fail_at}}))
            return [json.loads(await socket.recv()) for _ in range(6)]

    heard = run_async(ask())
    bad, good = ([message for message in heard if message["id"] == request_id] for request_id in ("bad", "good"))
    assert [message["outputs"][0]["data"] for message in bad[:-1]] == [["a"], ["b"]]
    assert (bad[-1]["status"], bad[-1]["error"]) == (503, "out of words at 2")
    assert [message["outputs"][0]["data"] for message in good] == [["a"], ["b"], ["c"]]
    assert good[-1]["parameters"] == {"index": 2, "finish_reason": "stop", "triton_final_response": True}


def test_a_decoupled_request_can_be_cancelled(server, run_async):
    async def ask():
        async with open_socket(server, "/v2/models/repeat_int32/infer") as socket:
            request = json.loads(repeat("long", [7] * 10_000))
            del request["model_name"]
            request["inputs"][1]["data"] = [5] * 10_000
            await socket.send(json.dumps(request))
            first = json.loads(await socket.recv())
            await socket.send('{"cancel":"long"}')
            while "status" not in (message := json.loads(await socket.recv())):
                pass
            return first, message

    first, last = run_async(ask())
    assert (first["id"], first["parameters"]["triton_final_response"]) == ("long", False)
    assert (last["id"], last["status"]) == ("long", 499)
