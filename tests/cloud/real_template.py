"""The pipeline's real template on a fresh local AWS."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from lambdas.domain.prices import FREE, Prices
from reelworks.cloud import aws
from reelworks.cloud.backends.voice.piper import BUNDLED
from reelworks.cloud.credentials import Credentials
from reelworks.cloud.lifecycle.cloud_assembly import read_assembly
from reelworks.cloud.lifecycle.deploy import deploy
from tests.cloud.servers import local_aws
from tests.shared import copy_assembly_of_a_pc

Client = Callable[[str], Any]

# ministack verifies no signature.
ANYBODY = Credentials("test", "test")


def synthesize(folder: Path) -> Path:
    """The file of the pipeline's template in a cloud assembly of its own, made at `folder`."""
    return copy_assembly_of_a_pc(folder) / "Reelworks-Pipeline.template.json"


@contextmanager
def deployed(
    folder: Path,
    app: str = "tests.cloud.function_aws:app",
    *,
    engines: str = "animatic",
    prices: Prices = FREE,
) -> Iterator[tuple[str, Client, dict[str, str]]]:
    """URL of the cloud, its clients, and the outputs of the stack of that assembly."""
    with local_aws(app) as url:
        of_a_pc = {"Engines": engines, "Workflow": "", "Voice": BUNDLED, "VoiceEngine": "standard"}
        of_a_pc |= {"Prices": prices.model_dump_json(), "WebhooksToLoopback": "true", "StudioSignIn": "link"}
        outputs = deploy(read_assembly(folder), url, ANYBODY, of_a_pc)
        yield url, partial(aws.client, base_url=url, credentials=ANYBODY), outputs
