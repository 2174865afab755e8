"""What the operator's commands share: the deployment, and errors that end the command."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reelworks.cli.terminal import fail

if TYPE_CHECKING:
    from reelworks.deployment import Deployment


@contextmanager
def operating() -> Iterator["Deployment"]:
    """Find the deployment. AWS's refusals end the command with their reason."""
    from botocore.exceptions import BotoCoreError, ClientError

    from lambdas.domain.errors import ReelworksError
    from reelworks.deployment import Deployment, DeploymentError

    try:
        yield Deployment.find()
    except ReelworksError as error:
        fail(error.message)
    except (DeploymentError, BotoCoreError, ClientError) as error:
        fail(str(error))
