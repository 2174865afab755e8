"""Names that two parts of the system must agree on: headers, events, metrics, endpoints."""

SERVICE = "reelworks"

# HTTP headers. The first three come from OpenAI and its SDK (source: openai-python 3.57).
REQUEST_ID_HEADER = "x-request-id"
RETRY_COUNT_HEADER = "x-stainless-retry-count"
POLL_AFTER_HEADER = "openai-poll-after-ms"
IDEMPOTENCY_HEADER = "idempotency-key"

# EventBridge
EVENT_SOURCE = "reelworks"
VIDEO_COMPLETED = "video.completed"
VIDEO_FAILED = "video.failed"

# CloudWatch metrics (EMF), namespace METRICS_NAMESPACE, dimension `service`
METRICS_NAMESPACE = "Reelworks"
METRIC_VIDEOS_CREATED = "VideosCreated"
METRIC_VIDEOS_COMPLETED = "VideosCompleted"
METRIC_VIDEOS_FAILED = "VideosFailed"
METRIC_CLIPS_RENDERED = "ClipsRendered"
METRIC_CLIPS_REUSED = "ClipsReused"
METRIC_VIDEOS_HEALED = "VideosHealed"
METRIC_UPKEEP_FAILURES = "UpkeepFailures"  # what upkeep found and could not repair
# For each engine whose clips wait or are in flight, each minute; dimensions `service`, `engine`
METRIC_CLIPS_WAITING = "ClipsWaiting"
METRIC_CLIPS_IN_FLIGHT = "ClipsInFlight"
METRIC_OLDEST_CLIP_SECONDS = "OldestClipSeconds"


def endpoint_name(prefix: str, engine: str) -> str:
    """Return the name of an engine's SageMaker endpoint.

    A fixed rule, so that the pipeline stack references no resource of the engines stack. SageMaker allows
    letters, digits and hyphens, at most 63 characters.
    """
    return f"{prefix}-{engine.replace('.', '-')}"
