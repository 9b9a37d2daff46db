"""Log settings, by the clients over HTTP and gRPC."""

import pytest
from tritonclient.utils import InferenceServerException


def plain(response):
    """The answer over gRPC, as that over HTTP is."""
    return {name: getattr(value, value.WhichOneof("parameter_choice")) for name, value in response.settings.items()}


def test_they_are_read_and_changed_alike(client, grpc_client):
    before = client.get_log_settings()
    assert plain(grpc_client.get_log_settings()) == before
    try:
        assert client.update_log_settings({"log_verbose_level": 1})["log_verbose_level"] == 1
        assert plain(grpc_client.get_log_settings())["log_verbose_level"] == 1
        changed = plain(grpc_client.update_log_settings({"log_warning": False, "log_format": "ISO8601"}))
        assert changed == client.get_log_settings()
        assert (changed["log_warning"], changed["log_format"]) == (False, "ISO8601")
    finally:
        client.update_log_settings({name: value for name, value in before.items() if name != "log_file"})
    assert client.get_log_settings() == before


@pytest.mark.parametrize("settings", [{"log_file": "x"}, {"log_format": "xml"}])
def test_what_cannot_be_is_refused(client, grpc_client, settings):
    for any_client in (client, grpc_client):
        with pytest.raises(InferenceServerException):
            any_client.update_log_settings(settings)


def test_a_value_of_another_type_is_refused(client):
    with pytest.raises(InferenceServerException):
        client.update_log_settings({"log_info": "yes"})
