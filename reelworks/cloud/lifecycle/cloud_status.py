"""Show the PC's cloud: `reel status`. Every command asks for it first, so this module imports little."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from reelworks.cloud.addresses import API_PATH, REGION
from reelworks.cloud.deployment_record import deployment_of
from reelworks.cloud.home import Home
from reelworks.cloud.lifecycle import process_lock


@dataclass(frozen=True)
class Status:
    """The output of `reel status --json`. While the cloud is down, it has no address and no outputs.

    `functions` is what the functions do (FunctionRuntime.report in server/functions/runtime.py); None while
    the cloud is down, or too busy to say.
    """

    state: Literal["up", "down"]
    base_url: str | None  # for an OpenAI client
    api_key: str | None  # the local tenant's; None before the first `up`
    aws_endpoint_url: str | None
    aws_credentials_file: str | None  # for an AWS client; None before the first `up`
    region: str
    outputs: dict[str, str]  # the stack's
    functions: dict[str, Any] | None = field(default=None, compare=False)

    def document(self) -> dict[str, Any]:
        return asdict(self)


def status(home: Home) -> Status:
    """Return the status: `up` if this home's process is alive and has a finished deployment. A process that
    is too busy to respond is up too: it holds the lock, and so has the port that its record names."""
    api_key = home.key_file.read_text() if home.key_file.exists() else None
    process = process_lock.running(home)
    deployment = deployment_of(home, process.pid) if process else None
    file = str(home.aws_credentials) if home.aws_credentials.exists() else None
    down = Status("down", None, api_key, None, file, REGION, {})
    if process is None or deployment is None or not deployment.ready:
        return down
    base_url = process.address + API_PATH
    functions = process.functions()
    if functions is None and not process_lock.is_held(home.process_lock):  # it has ended meanwhile
        return down
    return Status("up", base_url, api_key, process.address, file, REGION, deployment.outputs, functions)
