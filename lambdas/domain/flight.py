"""How many clips are handed to an engine's endpoint at once."""

# One renders and one waits behind it, so that an instance never idles between two clips, and none comes near
# the six hours that SageMaker keeps a request. It is also what makes the endpoint grow: its scaling aims at a
# backlog of one for each instance (cdk/endpoint_scaling.py).
CLIPS_PER_INSTANCE = 2


def most_in_flight(instances: int) -> int:
    """Return how many clips may be in flight. An endpoint without instances gets those of one, which wake
    it."""
    return CLIPS_PER_INSTANCE * max(1, instances)
