"""Links and forms for S3 are signed for the bucket's own region, and on a PC for its address."""

import pytest

from lambdas.adapters.clients import client
from lambdas.adapters.objects import Objects


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        (None, "https://films.s3.eu-west-1.amazonaws.com/"),
        ("http://127.0.0.1:4566", "http://127.0.0.1:4566/films"),
    ],
)
def test_where_a_client_is_sent(monkeypatch: pytest.MonkeyPatch, endpoint: str | None, address: str) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    if endpoint is None:
        monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    else:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    objects = Objects(client.__wrapped__("s3"), "films")
    form = objects.form("incoming/acme/file_1", "image/png", least=1, most=10, seconds=60)
    assert form["url"] == address
    assert (form["fields"]["key"], form["fields"]["Content-Type"]) == ("incoming/acme/file_1", "image/png")
    link = objects.link("a.mp4", 60, file_name="a.mp4", content_type="video/mp4")
    assert link.startswith(f"{address.rstrip('/')}/a.mp4?")
