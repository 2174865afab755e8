"""Names that two parts of the system must agree on: headers, events, metrics, endpoints."""

# HTTP headers. The first three come from OpenAI and its SDK (source: openai-python 3.57).
REQUEST_ID_HEADER = "x-request-id"
RETRY_COUNT_HEADER = "x-stainless-retry-count"
POLL_AFTER_HEADER = "openai-poll-after-ms"
IDEMPOTENCY_HEADER = "idempotency-key"

# EventBridge
EVENT_SOURCE = "reelworks"
VIDEO_COMPLETED = "video.completed"
VIDEO_FAILED = "video.failed"

# CloudWatch metrics (EMF), namespace METRICS_NAMESPACE, dimension `service`: the prefix
METRICS_NAMESPACE = "Reelworks"
METRIC_VIDEOS_CREATED = "VideosCreated"
METRIC_VIDEOS_COMPLETED = "VideosCompleted"
METRIC_VIDEOS_FAILED = "VideosFailed"
METRIC_CLIPS_RENDERED = "ClipsRendered"
METRIC_CLIPS_REUSED = "ClipsReused"
METRIC_VIDEOS_HEALED = "VideosHealed"


def endpoint_name(prefix: str, engine: str) -> str:
    """Return the name of an engine's SageMaker endpoint.

    A fixed rule, so that the pipeline stack references no resource of the engines stack. SageMaker allows
    letters, digits and hyphens, at most 63 characters.
    """
    return f"{prefix}-{engine.replace('.', '-')}"
