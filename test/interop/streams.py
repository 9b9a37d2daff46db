"""ModelStreamInfer with tritonclient: what is sent, and what comes back."""

import queue

from tritonclient.utils import InferenceServerException

WAIT_SECONDS = 30


class Stream:
    """Sends on a stream, and hands out what comes back, in order."""

    def __init__(self, client, **options):
        self.client = client
        self.answers = queue.Queue()
        client.start_stream(callback=lambda result, error: self.answers.put((result, error)), **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.stop_stream()

    def send(self, model: str, inputs: list, **options) -> None:
        self.client.async_stream_infer(model, inputs, **options)

    def result(self):
        result, error = self.answers.get(timeout=WAIT_SECONDS)
        assert error is None, error
        return result

    def error(self) -> InferenceServerException:
        result, error = self.answers.get(timeout=WAIT_SECONDS)
        assert result is None and error is not None
        return error
