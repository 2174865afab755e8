"""What goes wrong in the PC's cloud.

ReelworksError (lambdas.domain.errors)
└── CloudError      the cloud can't be started, deployed or stopped; `reel` prints it
ServiceError        what a service of the cloud answers a call with; boto3 raises it as ClientError
"""

from lambdas.domain.errors import ReelworksError


class CloudError(ReelworksError):
    """The PC's cloud can't be started, deployed or stopped; the message says why."""

    advice = "Look at cloud.log in the home folder, then run `reel up` again."


class ServiceError(Exception):
    """An error as an AWS service answers it: boto3 raises ClientError with this code and message."""

    def __init__(self, status: int, code: str, message: str, **fields: object) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.body = {"message": message, **fields}
