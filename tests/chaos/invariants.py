"""What must hold once the faults have ended and films had time to end."""

from collections import Counter
from io import BytesIO
from typing import Any

import av
import httpx

from tests.chaos.films import Films
from tests.chaos.site import TENANTS, Site

_DECODED = 12  # films that are decoded


def check(site: Site, films: Films) -> dict[str, Any]:
    """Return {"problems": in words, and figures}."""
    problems: list[str] = []
    known = [film for film in films.all if film.id]
    for film in known:
        if film.stage == "failed" and not film.code:
            problems.append(f"{film.id} ({film.kind}) failed without a reason")
        if film.stage == "LOST":
            problems.append(f"{film.id} ({film.kind}) was acknowledged and is not there")
        elif not film.done:
            problems.append(f"{film.id} ({film.kind}) is still {film.stage}")
    problems += _listed(site, films)
    problems += _dropped(site, films)
    edited = {film.id for film in known if film.edited}
    for (kind, video), ids in site.receiver.ids.items():
        if len(ids) > 1 + (video in edited):  # an edit makes the film again
            problems.append(f"{kind} of {video} was delivered with {len(ids)} ids")
    problems += _left_behind(site)
    decoded = _decode(site, films, problems)
    return {
        "problems": problems,
        "decoded": decoded,
        "events": sum(map(len, site.receiver.ids.values())),
        "orders_of_servers": site.backends.rendered(),
    }


def _listed(site: Site, films: Films) -> list[str]:
    problems: list[str] = []
    for tenant in TENANTS:
        ids: list[str] = []
        after: str | None = None
        while True:
            query: dict[str, Any] = {"limit": 100} | ({"after": after} if after else {})
            answer = site.call(tenant, "GET", "/videos", params=query)
            assert answer is not None
            page = answer.json()
            ids += [one["id"] for one in page["data"]]
            if not page["has_more"]:
                break
            after = ids[-1]
        counted = Counter(ids)
        problems += [f"{id_} is listed {count} times" for id_, count in counted.items() if count > 1]
        for film in films.all:
            if film.id and film.tenant == tenant and bool(counted[film.id]) is film.deleted:
                problems.append(f"{film.id} is {'still' if film.deleted else 'not'} listed")
    return problems


def _dropped(site: Site, films: Films) -> list[str]:
    outputs, s3 = site.status["outputs"]["OutputBucket"], site.aws("s3")
    problems = []
    for key in films.dropped:
        found = s3.list_objects_v2(Bucket=outputs, Prefix=f"{key}.").get("Contents", [])
        if not any(one["Key"].endswith((".mp4", ".error.json")) for one in found):
            problems.append(f"{key} was dropped and has no result")
    return problems


def _left_behind(site: Site) -> list[str]:
    problems = []
    outputs = site.status["outputs"]
    states = site.aws("stepfunctions")
    for machine in states.list_state_machines()["stateMachines"]:
        running = states.list_executions(stateMachineArn=machine["stateMachineArn"], statusFilter="RUNNING")
        problems += [f"execution {one['name']} still runs" for one in running["executions"]]
    for bucket in ("InputBucket", "OutputBucket"):
        uploads = site.aws("s3").list_multipart_uploads(Bucket=outputs[bucket]).get("Uploads", [])
        problems += [f"an upload of {one['Key']} was left" for one in uploads]
    for tenant in TENANTS:
        answer = site.call(tenant, "GET", "/usage")
        assert answer is not None
        for quota in answer.json()["quotas"]:
            if quota["resets_at"] is None and quota["remaining"] != quota["limit"]:
                problems.append(
                    f"{tenant} has {quota['remaining']} of {quota['limit']} {quota['quota']} left"
                )
    return problems


def _decode(site: Site, films: Films, problems: list[str]) -> int:
    ready = [film for film in films.all if film.stage == "completed" and not film.deleted]
    chosen = ready[:: max(1, len(ready) // _DECODED)][:_DECODED]
    for film in chosen:
        answer = site.call(film.tenant, "GET", f"/videos/{film.id}/content", follow_redirects=False)
        if answer is None or answer.status_code not in (200, 302, 303, 307):
            problems.append(f"{film.id} has no film: {answer and answer.status_code}")
            continue
        content = (
            answer.content if answer.status_code == 200 else httpx.get(answer.headers["location"]).content
        )
        with av.open(BytesIO(content)) as container:
            pictures = sum(1 for _ in container.decode(video=0))
        if pictures < 8:
            problems.append(f"{film.id} has {pictures} pictures")
    return len(chosen)
