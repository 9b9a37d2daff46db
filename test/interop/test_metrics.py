import http.client

from prometheus_client.parser import text_string_to_metric_families
from tensors import simple_inputs


def scrape(server) -> dict:
    connection = http.client.HTTPConnection("127.0.0.1", server.metrics_port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain")
        return {family.name: family for family in text_string_to_metric_families(response.read().decode())}
    finally:
        connection.close()


def value(families: dict, name: str, **labels: str) -> float:
    """A sample's value by its family's name, which the parser gives without `_total`."""
    samples = [sample for sample in families[name].samples if labels.items() <= sample.labels.items()]
    assert samples, f"{name} has no sample with {labels}"
    return sum(sample.value for sample in samples)


def test_the_page_is_valid_and_has_tritons_names(server):
    families = scrape(server)
    for name in (
        "nv_inference_request_success",
        "nv_inference_request_failure",
        "nv_inference_count",
        "nv_inference_exec_count",
        "nv_inference_request_duration_us",
        "nv_inference_queue_duration_us",
        "nv_inference_compute_input_duration_us",
        "nv_inference_compute_infer_duration_us",
        "nv_inference_compute_output_duration_us",
    ):
        assert families[name].type == "counter", name
        assert families[name].documentation, name
    assert families["nv_inference_pending_request_count"].type == "gauge"


def test_every_series_is_there_once(server):
    for family in scrape(server).values():
        keys = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in family.samples]
        assert len(keys) == len(set(keys)), family.name


def test_requests_are_counted_by_model_and_version(server, client):
    labels = {"model": "simple", "version": "1"}
    before = scrape(server)
    for _ in range(3):
        client.infer("simple", simple_inputs())
    after = scrape(server)
    for name in ("nv_inference_request_success", "nv_inference_count"):
        assert value(after, name, **labels) - value(before, name, **labels) == 3
    assert value(after, "nv_inference_pending_request_count", **labels) == 0


def test_batches_are_counted_by_the_placement_of_their_rows(server, client):
    labels = {"model": "simple", "placement": "contiguous"}
    before = value(scrape(server), "conch_batches", **labels)
    client.infer("simple", simple_inputs())
    assert value(scrape(server), "conch_batches", **labels) - before == 1
