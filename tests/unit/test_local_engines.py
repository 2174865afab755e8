import re
from pathlib import Path

from containers.cogvideox.options import parse
from reelworks.cloud.endpoints import Endpoint
from reelworks.cloud.engines import local_engines
from reelworks.cloud.leash import GRACE_SECONDS


def offered(home: Path) -> dict[str, Endpoint]:
    return local_engines(
        home,
        prefix="reelworks",
        output_bucket="films",
        success_topic_arn="arn:success",
        error_topic_arn="arn:error",
    )


def test_an_engine_is_offered_when_its_model_is_there(tmp_path: Path) -> None:
    assert offered(tmp_path) == {}
    for folder in ("cogvideox-1.5-5b", "cogvideox-2b", "cogvideox-5b", "animatic", "other"):
        (tmp_path / "models" / folder).mkdir(parents=True)
        if folder != "cogvideox-5b":  # half a download
            (tmp_path / "models" / folder / "manifest.json").write_text("{}")
    assert set(offered(tmp_path)) == {"cogvideox-1.5-5b", "cogvideox-2b"}


def test_the_endpoint_of_an_engine(tmp_path: Path) -> None:
    model = tmp_path / "models" / "cogvideox-1.5-5b"
    model.mkdir(parents=True)
    (model / "manifest.json").write_text("{}")
    endpoint = offered(tmp_path)["cogvideox-1.5-5b"]
    assert endpoint.name.startswith("reelworks-")
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*", endpoint.name)
    assert endpoint.s3_output_path == "s3://films/engine/out/"
    assert endpoint.s3_failure_path == "s3://films/engine/failed/"
    assert (endpoint.success_topic_arn, endpoint.error_topic_arn) == ("arn:success", "arn:error")
    assert endpoint.command[1:3] == ("-m", "containers.cogvideox")
    options = parse([part.replace("{port}", "8123") for part in endpoint.command[3:]])
    assert (options.model, options.host, options.port) == (model, "127.0.0.1", 8123)
    assert options.grace < GRACE_SECONDS, "the server ends by itself before the leash kills it"
    assert endpoint.cwd is not None
    assert (endpoint.cwd / "containers" / "cogvideox" / "__main__.py").is_file()
