"""The studio in Chromium on a PC's cloud of its own: the first load of the gallery with 1,000 films, and what
a page asks and holds while it is left open for an hour.

    python -m benchmarks.studio

The hour is simulated: the page's clock is put forward minute by minute, and its requests are real. The films
are records that share the posters of a few drafts of 1280x720.
"""

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, expect

from lambdas.adapters.objects import Objects
from lambdas.adapters.videos import Videos
from lambdas.domain import keys
from lambdas.domain.video import Stage, Video, video_id
from lambdas.domain.video_parts import ClipProgress, ClipState, DeliveredFilm, StageEntry
from tests.factories import a_request, a_video
from tests.films.conftest import Cloud, running_cloud
from tests.films.requests import finish
from tests.studio.browser import Window, launched, signed_in, studio_of, until

TENANT = "gallery"
VIEWPORT = {"width": 1440, "height": 900}
TOPICS = (
    *("A fox in the snow", "A sailing boat on a calm sea", "A balloon over the mountains"),
    *("An owl in the moonlight", "A lighthouse in a storm", "Bees in a sunny meadow"),
)
LOADS = 5
_POSTERS_SHOWN = """() => [...document.querySelectorAll(".poster")]
  .filter((one) => one.getBoundingClientRect().top < innerHeight)
  .every((one) => one.querySelector("img")?.complete)"""


def fill(cloud: Cloud, count: int) -> str:
    """Make a few films, and record `count` with their posters. Return the key of the tenant."""
    key = str(cloud.json("keys", "create", TENANT)["api_key"])
    client = cloud.client(key)
    made = [
        client.submit(prompt, size="1280x720", seconds=2, enhance=False, model="animatic").id
        for prompt in TOPICS
    ]
    for id_ in made:
        finish(client, id_, seconds=600)
    outputs = Objects(cloud.aws("s3"), cloud.outputs["OutputBucket"])
    videos = Videos(cloud.aws("dynamodb"), cloud.outputs["VideosTable"], outputs)
    posters = [keys.delivered_thumbnail(TENANT, id_, 1) for id_ in made]
    film = keys.delivered_film(TENANT, made[0], 1)
    now = int(time.time() * 1000)
    for number in range(count):
        videos.create(_record(number, now - 60_000 * (number + 1), film, posters[number % len(posters)]))
    return key


def _record(number: int, at_ms: int, film: str, poster: str) -> Video:
    done = {"state": ClipState.DONE, "started_ms": at_ms, "finished_ms": at_ms}
    delivered = DeliveredFilm(attempt=1, seconds=12, bytes=1_000_000, variants=("video", "thumbnail"))
    return a_video(
        id=video_id(TENANT, str(number)),
        tenant=TENANT,
        request=a_request(prompt=f"{TOPICS[number % len(TOPICS)]}, take {number + 1}"),
        stage=Stage.COMPLETED,
        clips=[ClipProgress(seconds=4, **done) for _ in range(3)],
        films=(delivered,),
        film=film,
        thumbnail=poster,
        history=[StageEntry(stage=stage, at_ms=at_ms) for stage in (Stage.QUEUED, Stage.COMPLETED)],
        created_ms=at_ms,
        updated_ms=at_ms,
        expires_ms=at_ms + 30 * 86_400_000,
    )


_STEPS = """() => {
  const of = (end) => performance.getEntriesByType("resource").filter(({ name }) => end.test(name));
  const last = (end) => Math.max(...of(end).map(({ responseEnd }) => responseEnd));
  const [list] = of(/v1\\/videos\\?/);
  return {
    "page": performance.getEntriesByType("navigation")[0].responseEnd,
    "styles": last(/\\.css$/),
    "modules": last(/\\.js$/),
    "films asked for": list.startTime,
    "answered": list.responseEnd,
  };
}"""


class Sent:
    """What a page receives: requests and bytes by type, as Chromium's DevTools count them."""

    def __init__(self, devtools: CDPSession) -> None:
        self._types: dict[str, str] = {}
        self.requests: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        devtools.send("Network.enable")
        devtools.on("Network.responseReceived", self._received)
        devtools.on("Network.loadingFinished", self._finished)

    def _received(self, event: dict[str, Any]) -> None:
        self._types[event["requestId"]] = event["type"]
        self.statuses[event["response"]["status"]] += 1

    def _finished(self, event: dict[str, Any]) -> None:
        kind = self._types.get(event["requestId"], "Other")
        self.requests[kind] += 1
        self.bytes[kind] += event["encodedDataLength"]


def first_load(browser: Browser, studio: str, key: str) -> dict[str, float]:
    """Load the gallery in a browser that has nothing of it. Times are seconds from the navigation."""
    context = signed_in(browser, key, viewport=VIEWPORT)
    window = Window(context, studio)
    sent = Sent(context.new_cdp_session(window.page))
    page = window.open()
    expect(page.locator("a.film").first).to_be_visible()
    cards: float = page.evaluate("performance.now()")
    until(page.locator("html"), _POSTERS_SHOWN)
    posters: float = page.evaluate("performance.now()")
    page.wait_for_load_state("networkidle")
    paint: float = page.evaluate(
        "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN"
    )
    steps: dict[str, float] = page.evaluate(_STEPS)
    context.close()
    return {
        **{f"{step}, s": at / 1000 for step, at in steps.items()},
        "first paint, s": paint / 1000,
        "films, s": cards / 1000,
        "posters in view, s": posters / 1000,
        "requests": sum(sent.requests.values()),
        **{f"{kind}, kB": size / 1000 for kind, size in sorted(sent.bytes.items())},
        "in all, kB": sum(sent.bytes.values()) / 1000,
    }


def left_open(browser: Browser, studio: str, key: str, path: str, minutes: int) -> dict[str, float]:
    """Leave a page open. The heap is what remains after a garbage collection, in MB."""
    context = signed_in(browser, key, viewport=VIEWPORT)
    window = Window(context, studio)
    page = window.page
    devtools = context.new_cdp_session(page)
    page.clock.install()
    window.open(path)
    expect(page.locator("a.film, studio-player").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    before, sent = _heap(devtools), Sent(devtools)
    for _ in range(minutes):
        page.clock.run_for(60_000)
        _settled(page)
    after = _heap(devtools)
    context.close()
    return {
        "requests": sum(sent.requests.values()),
        "of them 304": sent.statuses[304],
        "kB": sum(sent.bytes.values()) / 1000,
        "heap at first, MB": before,
        "heap at last, MB": after,
    }


def _settled(page: Page) -> None:
    """Wait for what the page asks: its own clock stands still meanwhile."""
    page.wait_for_timeout(300)


def _heap(devtools: CDPSession) -> float:
    devtools.send("HeapProfiler.collectGarbage")
    used: float = devtools.send("Runtime.getHeapUsage")["usedSize"]
    return used / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=1_000)
    parser.add_argument("--minutes", type=int, default=60)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, running_cloud(Path(home)) as cloud, launched() as browser:
        key, studio = fill(cloud, asked.films), studio_of(cloud)
        loads = [first_load(browser, studio, key) for _ in range(LOADS)]
        print(f"first load of the gallery, {asked.films} films, median of {LOADS}:")
        for name in loads[0]:
            print(f"  {name}: {median(load.get(name, 0) for load in loads):.4g}")
        film = cloud.client(key).list(limit=100).data
        finished = next(video.id for video in film if video.prompt in TOPICS)
        for path in ("/", f"/films/{finished}"):
            print(f"{path} open for {asked.minutes} minutes:")
            for name, value in left_open(browser, studio, key, path, asked.minutes).items():
                print(f"  {name}: {value:.4g}")


if __name__ == "__main__":
    main()
