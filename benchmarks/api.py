"""Measure the API's function: its start beside boto3's, each route's time and AWS calls, and many creates at
once.

    python -m benchmarks.api [--starts 15] [--creates 1000] [--clients 50] [--home FOLDER] [--json]

A start is the processor time of the imports in a fresh interpreter with compiled bytecode, as deployed; the
median of runs that alternate with `import boto3`. Times and calls of the routes are those of the handler, in
this process, with the settings of a cloud of its own (in a temporary home): the median of warm requests, and
what botocore sends for one, which are requests to AWS. The creates go to that cloud over HTTP; nothing makes
their films meanwhile, because the queue's consumer is switched off.
"""

import argparse
import compileall
import importlib
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from io import StringIO
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx

from benchmarks.pc import ROOT, Home, run
from cdk.functions import ENVIRONMENT
from reelworks.cloud.credentials import read_credentials
from reelworks.deployment import Deployment

STARTS: Mapping[str, str] = {
    "boto3": "boto3",
    "api": "lambdas.api.app",
    "authorizer": "lambdas.api.authorizer",
}
START_GOAL = 2.0  # × boto3
WARM_REQUESTS = 30
VIDEO = {"prompt": "A lighthouse in fog", "model": "animatic", "size": "320x180", "fps": 12, "seconds": "1"}
# What a route may ask of AWS. A create also writes the note that finds it again and its journal, and checks
# that.
CALL_GOALS: Mapping[str, Mapping[str, int]] = {
    "retrieve": {"Query": 1},
    "list of 20": {"Query": 1, "BatchGetItem": 1},
    "Google's operation": {"Query": 1},
    "models": {},
}


# --- starts


def starts(runs: int) -> dict[str, float]:
    """Return the processor milliseconds that each import takes."""
    compileall.compile_dir(ROOT / "lambdas", quiet=1)
    taken: dict[str, list[float]] = {name: [] for name in STARTS}
    for _ in range(runs):
        for name, module in STARTS.items():
            taken[name].append(_start(module))
    return {name: round(median(milliseconds), 1) for name, milliseconds in taken.items()}


def _start(module: str) -> float:
    program = f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "AWS_DEFAULT_REGION": "us-east-1"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout) * 1000


# --- routes


class Context:
    function_name = "api"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:api"
    aws_request_id = "benchmark"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


def routes(cloud: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return each route's first and warm milliseconds, and its AWS calls."""
    deployment = Deployment.find()
    credentials = read_credentials(Path(cloud["aws_credentials_file"]))
    os.environ |= deployment.settings_of("Api") | {
        "AWS_ENDPOINT_URL": cloud["aws_endpoint_url"],
        "AWS_DEFAULT_REGION": cloud["region"],
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
    }
    handler = importlib.import_module("lambdas.api.app").handler  # with the environment above
    clients = importlib.import_module("lambdas.adapters.clients")
    importlib.import_module("lambdas.telemetry").logger.setLevel("CRITICAL")
    sent: list[str] = []
    for service in ("dynamodb", "s3", "sqs", "stepfunctions"):
        clients.client(service).meta.events.register(
            "before-send", lambda event_name, **_: sent.append(event_name.rpartition(".")[2])
        )

    def ask(method: str, path: str, body: Any = None, **headers: str) -> Any:
        event = _event(method, path, body, headers)
        answer = handler(event, Context())
        if answer["statusCode"] >= 400:
            raise SystemExit(f"{method} {path} answered {answer['statusCode']}: {answer['body']}")
        return json.loads(answer["body"])

    created = ask("POST", "/v1/videos", VIDEO)["id"]
    number = count()
    asked: dict[str, Callable[[], Any]] = {
        "create": lambda: ask("POST", "/v1/videos", VIDEO | {"seed": next(number)}),
        "create with a key": lambda: ask(
            "POST", "/v1/videos", VIDEO, **{"Idempotency-Key": uuid.uuid4().hex}
        ),
        "retrieve": lambda: ask("GET", f"/v1/videos/{created}"),
        "list of 20": lambda: ask("GET", "/v1/videos"),
        "events": lambda: ask("GET", f"/v1/videos/{created}/events"),
        "Google's operation": lambda: ask("GET", f"/v1beta/models/animatic/operations/{created}"),
        "usage": lambda: ask("GET", "/v1/usage"),
        "models": lambda: ask("GET", "/v1/models"),
    }
    found = {}
    with_videos = [ask("POST", "/v1/videos", VIDEO | {"seed": next(number)}) for _ in range(20)]
    assert len(with_videos) == 20
    for name, request in asked.items():
        sent.clear()
        request()
        calls = {call: sent.count(call) for call in dict.fromkeys(sent)}
        times = []
        for _ in range(WARM_REQUESTS):
            began = time.perf_counter()
            request()
            times.append((time.perf_counter() - began) * 1000)
        found[name] = {"warm_ms": round(median(times), 2), "calls": calls}
    return found


def _event(method: str, path: str, body: Any, headers: Mapping[str, str]) -> dict[str, Any]:
    caller = {"tenant": "routes", "scopes": "read create"}
    request = {"requestId": uuid.uuid4().hex, "authorizer": caller, "path": f"/api{path}"}
    return {
        "httpMethod": method,
        "path": path,
        "headers": {"Content-Type": "application/json", **headers},
        "queryStringParameters": None,
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
        "requestContext": request,
    }


# --- creates


def creates(cloud: dict[str, Any], key: str, number: int, clients: int) -> dict[str, Any]:
    """Send creates from that many clients, and find what was acknowledged in the list."""
    switch_off_dispatch()
    times: list[float] = []
    statuses: dict[int, int] = {}

    def send(client: int) -> list[str]:
        made = []
        with httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=300) as http:
            for index in range(client, number, clients):
                began = time.monotonic()
                answer = http.post(f"{cloud['base_url']}/videos", json=VIDEO | {"seed": index})
                times.append(time.monotonic() - began)
                statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
                if answer.is_success:
                    made.append(answer.json()["id"])
        return made

    began = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        made = [id_ for some in pool.map(send, range(clients)) for id_ in some]
    lasted = time.monotonic() - began
    listed = _all_listed(cloud, key)
    return {
        "creates": number,
        "clients": clients,
        "statuses": statuses,
        "acknowledged": len(made),
        "not_found": len(set(made) - set(listed)),
        "twice": len(made) - len(set(made)) + len(listed) - len(set(listed)),
        "a_second": round(number / lasted, 1),
        "p50_ms": round(median(times) * 1000),
        "p99_ms": round(quantiles(times, n=100)[98] * 1000),
    }


def switch_off_dispatch() -> None:
    client = Deployment.find().client("lambda")
    for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
        client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)


def _all_listed(cloud: dict[str, Any], key: str) -> list[str]:
    found: list[str] = []
    with httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=300) as http:
        page: dict[str, Any] = {"has_more": True, "last_id": None}
        while page["has_more"]:
            after = {"after": page["last_id"]} if page["last_id"] else {}
            page = http.get(f"{cloud['base_url']}/videos", params={"limit": 100, **after}).json()
            found += [video["id"] for video in page["data"]]
    return found


def measure(home: Home, arguments: argparse.Namespace) -> dict[str, Any]:
    load = round(os.getloadavg()[0], 1)
    started = starts(arguments.starts)
    cloud = home.reel("up")
    key = home.reel("keys", "create", "many")["api_key"]
    os.environ["REELWORKS_HOME"] = str(home.folder)
    made = creates(cloud, key, arguments.creates, arguments.clients)
    with redirect_stdout(StringIO()):  # the handler's metrics
        by_route = routes(cloud)
    ratio = round(started["api"] / started["boto3"], 2)
    return {
        "cpus": os.cpu_count(),
        "load_before": load,
        "starts_ms": started,
        "start_ratio": ratio,
        "routes": by_route,
        "creates": made,
        "targets": {
            f"start at most {START_GOAL:g} × boto3's": ratio <= START_GOAL,
            "routes call AWS no more than they must": all(
                by_route[name]["calls"] == dict(goal) for name, goal in CALL_GOALS.items()
            ),
            "every create is acknowledged": made["acknowledged"] == made["creates"],
            "all acknowledged are found, none twice": made["not_found"] == made["twice"] == 0,
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--starts", type=int, default=15, help="runs of each import")
    parser.add_argument("--creates", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=50)
    run(parser, measure)


if __name__ == "__main__":
    main()
