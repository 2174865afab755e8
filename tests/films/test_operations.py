"""What an operator asks of a cloud that made films."""

from typing import Any

from tests.cloud.servers import wait_until
from tests.films.conftest import Cloud
from tests.films.requests import Api, board, wait_for


def checks(cloud: Cloud) -> dict[str, dict[str, Any]]:
    found = cloud.json("ops", "health", check=False)
    return {check["name"]: check for check in found["checks"]}


def test_a_film_is_traced_from_the_api_to_its_engine_s_log(cloud: Cloud) -> None:
    arguments = ("--engine", "cogvideox-nano", "--seconds", "2", "--steps", "2", "--seed", "38")
    video = cloud.json("make", "A kite over the dunes", *arguments)["id"]
    events: list[dict[str, Any]] = []

    def completed() -> bool:
        events[:] = cloud.json("ops", "trace", video)
        return any(one["source"] == "record" and "completed" in str(one["message"]) for one in events)

    wait_until(completed)
    assert [event["at_ms"] for event in events] == sorted(event["at_ms"] for event in events)

    def place(source: str, text: str) -> int:
        return next(
            number
            for number, event in enumerate(events)
            if event["source"] == source and text in str(event["message"])
        )

    order = [
        place("record", "requested by tenant local: 2 s, cogvideox-nano"),
        place("Dispatch", "execution started"),
        place("execution", "Plan entered"),
        place("RenderClip", "clip requested"),
        place("cogvideox-nano", "clip rendered"),
        place("record", "clip 1 made"),
        place("execution", "Assemble entered"),
        place("record", "completed"),
    ]
    assert order == sorted(order)
    assert "A kite over the dunes" not in str([e for e in events if e["source"] == "cogvideox-nano"])
    assert "completed" in cloud.reel("ops", "trace", video).stdout
    missing = cloud.reel("ops", "trace", "video_missing", check=False)
    assert (missing.returncode, "--tenant" in missing.stderr) == (1, True)

    def counted() -> bool:  # the journal is written after the record
        costs = cloud.json("ops", "cost", "--by", "engine")["costs"]
        return any(cost["group"] == "cogvideox-nano" and cost["films"] >= 1 for cost in costs)

    wait_until(counted)


def test_a_failed_film_is_counted_with_its_reason(cloud: Cloud) -> None:
    api = Api(cloud, "on-call")
    storyboard = board("bee")
    storyboard["scenes"][0]["seconds"] = 0.5  # too short for its narration
    failed = api.create(storyboard=storyboard, narration_fit="refuse")
    wait_for(api.client, failed, lambda video: video["status"] == "failed")

    def counted() -> bool:  # the journal is written after the record
        found = cloud.json("ops", "failures", "--since", "1h")
        groups = {(group["code"], group["step"]): group["films"] for group in found["groups"]}
        films = groups.get(("NarrationTooLong", "Plan"), [])
        return failed in [film["video_id"] for film in films]

    wait_until(counted)
    assert checks(cloud)["failed films"]["state"] == "warning"
    assert "NarrationTooLong" in cloud.reel("ops", "failures").stdout


def test_health_names_a_dead_letter_and_what_to_do(cloud: Cloud) -> None:
    # Its first run is after a minute.
    wait_until(lambda: checks(cloud)["upkeep"]["state"] == "ok", seconds=180)
    assert checks(cloud)["dead letters FailedEvents"]["state"] == "ok"
    queue = cloud.outputs["FailedEventsQueueUrl"]
    cloud.aws("sqs").send_message(QueueUrl=queue, MessageBody='{"put here": "by hand"}')
    found = checks(cloud)["dead letters FailedEvents"]
    assert (found["state"], "reel ops redrive FailedEvents" in found["todo"]) == ("wrong", True)
    assert cloud.reel("ops", "health", check=False).returncode == 1
    assert cloud.reel("ops", "redrive", check=False).returncode == 1, "it names no function"
    assert cloud.json("ops", "purge", "FailedEvents", "--yes") == {"queue": "FailedEvents", "purged": 1}
    assert checks(cloud)["dead letters FailedEvents"]["state"] == "ok"


def test_an_engine_is_tried_without_a_film(cloud: Cloud) -> None:
    offered = {engine["name"]: engine for engine in cloud.json("engines", "list")}
    assert offered["animatic"]["endpoint"] is None
    assert offered["cogvideox-nano-i2v"]["status"] == "InService"
    films = len(cloud.json("list", "--limit", "100")["data"])
    saved = ("-o", str(cloud.home / "c.mp4"))
    tried = cloud.json("engines", "try", "cogvideox-nano-i2v", "--steps", "1", *saved)
    assert (tried["frames"], tried["size"]) == (9, "96x64")
    assert (cloud.home / "c.mp4").stat().st_size == tried["bytes"]
    assert len(cloud.json("list", "--limit", "100")["data"]) == films
    state = cloud.json("engines", "status", "cogvideox-nano-i2v")
    assert (state["status"], state["instances"], state["backlog"]) == ("InService", 1, 0)
    assert (state["most"], state["failures"]) == (None, [])
    lines = cloud.json("engines", "logs", "cogvideox-nano-i2v", "--text", "clip rendered")
    assert (lines[-1]["instance"], lines[-1]["message"]["steps"]) == ("0", 1)
    inputs, outputs = (cloud.outputs[name] for name in ("InputBucket", "OutputBucket"))
    for bucket, prefix in ((inputs, "requests/try-"), (outputs, "engine/out/try-")):
        assert cloud.aws("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)["KeyCount"] == 0, (
            "nothing is left"
        )


def test_what_a_pc_can_t_do_is_refused_with_the_reason(cloud: Cloud) -> None:
    for arguments, reason in (
        (("warm", "cogvideox-nano-i2v"), "does not scale; on a PC"),
        (("cool", "cogvideox-nano-i2v"), "does not scale; on a PC"),
        (("try", "animatic"), "no engine 'animatic' on an endpoint; use one of:"),
        (("try", "cogvideox-nano-i2v", "--steps", "9999"), "steps"),
    ):
        refused = cloud.reel("engines", *arguments, check=False)
        assert refused.returncode == 1
        assert reason in " ".join(refused.stderr.split())
