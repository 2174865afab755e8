"""Errors of the PC's cloud.

ReelworksError (lambdas.domain.errors)
└── CloudError      the cloud can't be started, deployed or stopped; `reel` prints it
ServiceError        an AWS service's error response; boto3 raises it as ClientError
"""

from lambdas.domain.errors import ReelworksError


class CloudError(ReelworksError):
    """The PC's cloud can't be started, deployed or stopped; the message says why."""

    advice = "Check cloud.log in the home folder, then run `reel up` again."


class ServiceError(Exception):
    """An AWS service's error response: boto3 raises ClientError with this code and message."""

    def __init__(self, status: int, code: str, message: str, **fields: object) -> None:
        super().__init__(message)
        self.headers: dict[str, str] = {}  # of the response, in addition to the service's own
        self.status = status
        self.code = code
        self.body = {"message": message, **fields}
