"""Names that two parts of the system must agree on: headers, events, metrics, endpoints."""

import zlib
from enum import StrEnum
from typing import NamedTuple

# HTTP headers. The first three come from OpenAI and its SDK (source: openai-python 3.57).
REQUEST_ID_HEADER = "x-request-id"
RETRY_COUNT_HEADER = "x-stainless-retry-count"
POLL_AFTER_HEADER = "openai-poll-after-ms"
IDEMPOTENCY_HEADER = "idempotency-key"

# Google's API for videos, in front of ours, and the header in which its clients send their key.
GOOGLE_PATH = "/v1beta/"
GOOGLE_KEY_HEADER = "x-goog-api-key"

# What the REST API shows to callers without a key.
PUBLIC_PATHS = ("/openapi.json", "/docs")

# The studio's files, shown likewise.
STUDIO_PATH = "/studio/"

# The REST API compresses longer answers, if the client accepts that.
COMPRESSED_FROM_BYTES = 1024

# EventBridge
EVENT_SOURCE = "reelworks"
VIDEO_COMPLETED = "video.completed"
VIDEO_FAILED = "video.failed"
VIDEO_REVIEW = "video.review"  # a film waits for its user
CLIP_COMPLETED = "clip.completed"

WEBHOOK_USER_AGENT = "Reelworks-Webhooks"

METRICS_NAMESPACE = "Reelworks"


class TenantClass(StrEnum):
    """Whose clips wait for an engine: a dimension with few values."""

    LARGEST = "largest"  # the tenant with the most clips that wait
    OTHERS = "others"


class Metric(NamedTuple):
    """A CloudWatch metric in METRICS_NAMESPACE, written to the log (EMF) with the dimension `service`, the
    deployment's prefix.

    `by` lists the sets of further dimensions. CloudWatch keeps, and bills, a series for each set of values.
    """

    name: str
    unit: str = "Count"
    by: tuple[tuple[str, ...], ...] = ((),)


METRIC_VIDEOS_CREATED = Metric("VideosCreated")
METRIC_VIDEOS_COMPLETED = Metric("VideosCompleted")
METRIC_VIDEOS_FAILED = Metric("VideosFailed", by=((), ("step", "code")))
METRIC_VIDEOS_HEALED = Metric("VideosHealed")
# Of each ended video: 100 for the fault it failed by, 0 for others. Its average is the rate.
METRIC_FAILURE_RATE = Metric("FailureRate", "Percent", by=(("fault",),))
METRIC_FILM_SECONDS = Metric("FilmSeconds", "Seconds")  # from request to film, without waits for the user
METRIC_FILM_COST = Metric("FilmCost", "None")  # USD; not measured if a price is unknown
METRIC_CLIPS_RENDERED = Metric("ClipsRendered")
METRIC_CLIPS_REUSED = Metric("ClipsReused")
METRIC_CLIP_SECONDS = Metric(
    "ClipSeconds", "Seconds", by=(("engine",),)
)  # from its start; waits in our queue do not count
# Of each answer of an engine on an endpoint, likewise. Most failed clips are retried.
METRIC_CLIP_FAILURE_RATE = Metric("ClipFailureRate", "Percent", by=(("engine", "fault"),))
METRIC_UPKEEP_RUNS = Metric("UpkeepRuns")  # completed
METRIC_THROTTLES = Metric("Throttles", by=((), ("called",)))  # of calls, by the AWS service called
METRIC_WEBHOOK_TRIES = Metric(
    "WebhookTries", by=(("outcome",),)
)  # of deliveries of events: see lambdas/webhooks
METRIC_UPKEEP_FAILURES = Metric("UpkeepFailures")  # what upkeep found and could not repair
# Each minute, of each engine whose clips wait or are in flight
# By class of tenant: those of the tenant with the most, and all others'. Two series tell whether one tenant
# floods an engine; one for each tenant would be billed by the month.
METRIC_CLIPS_WAITING = Metric("ClipsWaiting", by=(("engine", "tenant_class"),))
METRIC_CLIPS_IN_FLIGHT = Metric("ClipsInFlight", by=(("engine",),))
METRIC_OLDEST_CLIP_SECONDS = Metric("OldestClipSeconds", "Seconds", by=(("engine",),))


LANES = 32  # of the usage plan's requests; each tenant has one, and one in LANES of the others shares it


def lane_name(prefix: str, number: int) -> str:
    """Return the name, and value, of the API Gateway key of a lane; it must have 20 to 128 characters."""
    return f"{prefix}-requests-of-tenants-{number:02d}"


def lane_of(prefix: str, tenant: str) -> str:
    """Return the name of a tenant's lane."""
    return lane_name(prefix, zlib.crc32(tenant.encode()) % LANES)


VARIANT = "AllTraffic"  # each endpoint has this one


def endpoint_name(prefix: str, engine: str) -> str:
    """Return the name of an engine's SageMaker endpoint.

    A fixed rule, so that the pipeline stack references no resource of the engines stack. SageMaker allows
    letters, digits and hyphens, at most 63 characters.
    """
    return f"{prefix}-{engine.replace('.', '-')}"


def signing_secret(prefix: str) -> str:
    """Return the name of the secret with the key that signs films (lambdas/adapters/signing_key.py)."""
    return f"{prefix}/content-credentials"
