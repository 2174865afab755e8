"""The calls to AWS that the functions make for a film, and how long they run.

Read from the code and checked against counts (count.py): a call is a try that reaches AWS. What a film's size
adds beyond its clips (the parts of an upload over 16 MiB, assembly in a build) and what happens only after a
failure is left out.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from benchmarks.scale.film import Unit
from lambdas.adapters.videos import SHARDS
from lambdas.domain.engines import CATALOGUE, Renderer

Each = Mapping[str, float]  # calls by "service Operation"

# A change of the record: read it with its parts, write it, write the journal, look whether it is the latest.
_CHANGE: Each = {"dynamodb Query": 1, "dynamodb UpdateItem": 1, "s3 PutObject": 1, "dynamodb GetItem": 1}
# The same with the record in hand.
_CHANGE_READ: Each = {name: calls for name, calls in _CHANGE.items() if name != "dynamodb Query"}


def _sum(*some: Each) -> Each:
    total: Counter[str] = Counter()
    for each in some:
        for name, calls in each.items():
            total[name] += calls  # type: ignore[assignment]  # Counter takes floats
    return dict(total)


def _times(number: float, each: Each) -> Each:
    return {name: number * calls for name, calls in each.items()}


# A part that videos of a tenant may share (lambdas/adapters/shared_objects.py): it is noted twice that the
# video uses it, and once that it is made; two reads look whether the video was deleted meanwhile.
_USED: Each = {"s3 PutObject": 2, "s3 ListObjectsV2": 1}
_MADE: Each = _sum(_USED, {"s3 PutObject": 1, "dynamodb GetItem": 2})

CALLS: Mapping[str, Mapping[Unit, Each]] = {
    "Authorizer": {Unit.AUTHORIZATION: {"dynamodb GetItem": 1}},
    "Api": {
        # Reads the quota and looks for a deleted video; writes the video, its note and its quota at once,
        # then journal and queue.
        Unit.FILM: {
            "dynamodb GetItem": 2,
            "dynamodb TransactWriteItems": 1,
            "s3 PutObject": 1,
            "sqs SendMessage": 1,
        },
        Unit.READ: {"dynamodb Query": 1},
    },
    "Dispatch": {Unit.FILM: {"dynamodb GetItem": 1, "states StartExecution": 1}},
    "WriteStoryboard": {
        Unit.FILM: _sum(_CHANGE, {"dynamodb Query": 1}),
        Unit.STORYBOARD: _sum(_times(2, _CHANGE_READ), {"s3 PutObject": 1}),
        Unit.STORYBOARD_QUESTION: _sum(_CHANGE_READ, {"bedrock Converse": 1}),
    },
    "Narrate": {
        Unit.NARRATION: _sum(
            _MADE,
            {
                "dynamodb GetItem": 1,
                "dynamodb PutItem": 2,
                "s3 HeadObject": 1,
                "s3 GetObject": 1,
                "s3 PutObject": 2,
            },
        ),
        Unit.SENTENCE: _sum(
            _MADE,
            {
                "polly SynthesizeSpeech": 1,
                "s3 HeadObject": 1,
                "s3 GetObject": 1,
                "s3 PutObject": 1,
            },
        ),
    },
    "DrawStill": {
        Unit.STILL: _sum(
            _MADE,
            {
                "bedrock InvokeModel": 1,
                "dynamodb GetItem": 1,
                "dynamodb PutItem": 2,
                "s3 HeadObject": 1,
                "s3 GetObject": 1,
                "s3 PutObject": 1,
            },
        )
    },
    "Plan": {
        Unit.FILM: _sum(_CHANGE, {"dynamodb Query": 1, "s3 GetObject": 1, "s3 PutObject": 1}),
        Unit.PROMPT_QUESTION: _sum(_times(3, _CHANGE), {"bedrock Converse": 1}),
        Unit.STORYBOARD: {"s3 GetObject": 1},
        Unit.NARRATION: {"s3 GetObject": 1},
    },
    "DrawClip": {
        Unit.DRAWN: _sum(
            _MADE,
            {
                "dynamodb GetItem": 3,
                "dynamodb PutItem": 2,
                "s3 HeadObject": 1,
                "s3 GetObject": 1,
                "s3 PutObject": 1,
                "events PutEvents": 1,
            },
        ),
        Unit.DRAWN_FROM_STILL: {"s3 GetObject": 1},
    },
    # Whichever of the two comes admits the next clip, so their calls are known only together. Transactions
    # that collide with another function's are tried again: without collisions, there would be two.
    "RenderClip, SettleClip": {
        # Both look for the clip before it is made.
        Unit.RENDERED: _sum(
            _USED,
            _MADE,
            {
                "dynamodb GetItem": 13,
                "dynamodb PutItem": 2,
                "dynamodb Query": 2.6,
                "dynamodb TransactWriteItems": 2.5,
                "dynamodb UpdateItem": 3,
                "s3 HeadObject": 3,
                "s3 GetObject": 3,
                "s3 PutObject": 2,
                "s3 DeleteObject": 1,
                "sagemaker InvokeEndpointAsync": 1,
                "states SendTaskSuccess": 1,
                "events PutEvents": 1,
            },
        )
    },
    "Assemble": {
        # The film and its sound are such parts, too.
        Unit.FILM: _sum(
            _times(3, _CHANGE),
            _times(2, _MADE),
            {"s3 HeadObject": 7, "s3 GetObject": 3, "s3 PutObject": 5},
        ),
        Unit.CLIP: {"s3 HeadObject": 1, "s3 GetObject": 2},
        Unit.REREAD: {"s3 GetObject": 1},
        Unit.SENTENCE: {"s3 GetObject": 1},
        Unit.CAPTIONS: {"s3 PutObject": 2},
        Unit.MEBIBYTE: {"s3 GetObject": 4},  # at most: poster and spritesheet read blocks of 256 KiB
    },
    "Publish": {
        # The second change is the film's end, which frees its place in the tenant's quota with it. The film
        # is written anew with its content credentials; all else is copied.
        Unit.FILM: _sum(
            _times(2, _CHANGE),
            {
                "dynamodb Query": 1,
                "dynamodb UpdateItem": -1,
                "dynamodb TransactWriteItems": 1,
                "secretsmanager GetSecretValue": 1,
                "s3 HeadObject": 9,
                "s3 GetObject": 2,
                "s3 CopyObject": 3,
                "s3 PutObject": 2,
                "events PutEvents": 1,
            },
        ),
        Unit.CLIP: {"s3 HeadObject": 1},
        Unit.NARRATION: {"s3 HeadObject": 1},
        Unit.STILL: {"s3 HeadObject": 1},
        Unit.STORYBOARD: {"s3 CopyObject": 1, "s3 HeadObject": 2},
        Unit.CAPTIONS: {"s3 CopyObject": 2, "s3 HeadObject": 4},
    },
    # For each event: what the request asked for, and the tenant's endpoints. Without any, nothing is sent.
    "Deliver": {Unit.FILM: {"dynamodb GetItem": 2}, Unit.CLIP: {"dynamodb GetItem": 2}},
}

# Invocations and their seconds, by function. The seconds are assumed, on the safe side of what the functions
# take on a PC; only those that draw or assemble matter, to the bill and to how many run at once.
INVOCATIONS: Mapping[str, Mapping[Unit, float]] = {
    "Authorizer": {Unit.AUTHORIZATION: 1},
    "Api": {Unit.FILM: 1, Unit.READ: 1},
    "Dispatch": {Unit.FILM: 1},
    "WriteStoryboard": {Unit.FILM: 1},
    "Narrate": {Unit.NARRATION: 1},
    "DrawStill": {Unit.STILL: 1},
    "Plan": {Unit.FILM: 1},
    "DrawClip": {Unit.DRAWN: 1},
    "RenderClip": {Unit.RENDERED: 1},
    "SettleClip": {Unit.RENDERED: 1},
    "Assemble": {Unit.FILM: 1},
    "Publish": {Unit.FILM: 1},
    "Deliver": {Unit.FILM: 1, Unit.CLIP: 1},
}
SECONDS: Mapping[str, Mapping[Unit, float]] = {
    "Authorizer": {Unit.AUTHORIZATION: 0.1},
    "Api": {Unit.FILM: 0.3, Unit.READ: 0.05},
    "Dispatch": {Unit.FILM: 0.3},
    "WriteStoryboard": {Unit.FILM: 0.5, Unit.STORYBOARD_QUESTION: 20},
    "Narrate": {Unit.NARRATION: 1, Unit.SENTENCE: 0.7},
    "DrawStill": {Unit.STILL: 10},  # lambdas/adapters/clients.py
    "Plan": {Unit.FILM: 1, Unit.PROMPT_QUESTION: 8},
    "DrawClip": {Unit.DRAWN: 9},  # DRAFT.clip_seconds
    "RenderClip": {Unit.RENDERED: 0.7},
    "SettleClip": {Unit.RENDERED: 2},  # it decodes the clip to measure it
    "Assemble": {Unit.FILM: 4, Unit.CLIP: 0.2, Unit.MEBIBYTE: 0.05},  # lambdas/domain/assembler.py
    "Publish": {Unit.FILM: 1, Unit.CLIP: 0.03},
    "Deliver": {Unit.FILM: 0.1, Unit.CLIP: 0.1},
}

_ENGINES = sum(engine.renderer is Renderer.ENDPOINT for engine in CATALOGUE.values())
# Upkeep, each minute, while nothing is made: it looks at every engine of the catalogue and at every shard of
# the open films. Then for each film that it looks at, and for each clip in flight.
UPKEEP_RUN: Each = {
    "dynamodb GetItem": 3 * _ENGINES + 1,
    "dynamodb PutItem": 1,
    "dynamodb Query": 2 * _ENGINES + SHARDS,
    "dynamodb UpdateItem": _ENGINES,
    "s3 ListObjectsV2": 1,
    "sagemaker DescribeEndpoint": _ENGINES,
    "sqs ReceiveMessage": 2,
}
UPKEEP_SECONDS = 3.0
UPKEEP_FILM: Each = {"dynamodb Query": 1, "states DescribeExecution": 1}
UPKEEP_FLIGHT: Each = {"dynamodb GetItem": 1, "s3 ListObjectsV2": 2}
# A minute after an engine has written its output, in batches of at most ten.
UPKEEP_OUTPUT: Each = {"dynamodb GetItem": 1}


def amount(by_unit: Mapping[Unit, float], units: Mapping[Unit, float]) -> float:
    """Return the sum over the units of a film."""
    return sum(each * units[unit] for unit, each in by_unit.items())


def calls_of(units: Mapping[Unit, float], functions: Iterable[str] = CALLS) -> dict[str, float]:
    """Return the calls for a film's units, by "service Operation". Upkeep's are apart."""
    found: dict[str, float] = {}
    for function in functions:
        for unit, each in CALLS[function].items():
            for name, calls in each.items():
                found[name] = found.get(name, 0) + calls * units[unit]
    return {name: calls for name, calls in sorted(found.items()) if calls}


def invocations_of(units: Mapping[Unit, float]) -> dict[str, float]:
    found = {function: amount(by_unit, units) for function, by_unit in INVOCATIONS.items()}
    return {function: times for function, times in found.items() if times}


def seconds_of(units: Mapping[Unit, float]) -> dict[str, float]:
    """Return the seconds that each function runs for a film."""
    return {function: amount(by_unit, units) for function, by_unit in SECONDS.items()}
