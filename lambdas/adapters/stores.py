"""Create the adapters for a function's stores from its settings."""

from lambdas.adapters.clients import client
from lambdas.adapters.clip_budget import ClipBudget
from lambdas.adapters.clip_queue import ClipQueue
from lambdas.adapters.engine_calls import Inferences
from lambdas.adapters.events import Events
from lambdas.adapters.executions import Machine
from lambdas.adapters.objects import Objects
from lambdas.adapters.reviews import Reviews
from lambdas.adapters.videos import Videos
from lambdas.adapters.webhooks import Webhooks
from lambdas.settings import ClipsSettings, EventsSettings, StoreSettings, WebhooksSettings


def inputs(settings: StoreSettings) -> Objects:
    return Objects(client("s3"), settings.input_bucket)


def outputs(settings: StoreSettings) -> Objects:
    return Objects(client("s3"), settings.output_bucket)


def videos(settings: StoreSettings) -> Videos:
    return Videos(client("dynamodb"), settings.videos_table, journal=outputs(settings))


def events(settings: EventsSettings) -> Events:
    return Events(client("events"), settings.event_bus)


def inferences(settings: ClipsSettings) -> Inferences:
    return Inferences(client("dynamodb"), settings.clips_table)


def clip_budget(settings: StoreSettings) -> ClipBudget:
    return ClipBudget(client("dynamodb"), settings.videos_table)


def clip_queue(settings: ClipsSettings) -> ClipQueue:
    return ClipQueue(client("dynamodb"), settings.clips_table)


def reviews(settings: StoreSettings) -> Reviews:
    return Reviews(client("dynamodb"), settings.videos_table, Machine(client("stepfunctions")))


def webhooks(settings: WebhooksSettings) -> Webhooks:
    return Webhooks(client("dynamodb"), settings.webhooks_table, journal=outputs(settings))
