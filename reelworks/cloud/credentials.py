"""The AWS credentials of the PC's cloud: made once, in a file that only its owner can read.

The file has the format of ~/.aws/credentials, so AWS_SHARED_CREDENTIALS_FILE lets any AWS client use it
(https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html).
"""

import secrets
from configparser import ConfigParser, Error
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from reelworks.cloud.errors import CloudError
from reelworks.cloud.home import Home, write_private

ACCOUNT = "000000000000"
# ministack gives functions their account's number as key id (core/lambda_runtime.py, execution_credentials),
# so it is everyone's.
ACCESS_KEY_ID = ACCOUNT
_PROFILE = "default"
LOCAL_TENANT = "local"  # of the API key of the PC's user (home.key_file)


@dataclass(frozen=True)
class Credentials:
    """What a request to the cloud is signed with."""

    secret_access_key: str = field(repr=False)
    access_key_id: str = ACCESS_KEY_ID


def ensure_credentials(home: Home) -> Credentials:
    """Return the home's credentials; make them if there are none. One caller at a time: hold the change lock.

    Raises CloudError if the file can't be read.
    """
    if not home.aws_credentials.exists():
        file = ConfigParser(interpolation=None)
        file[_PROFILE] = {
            "aws_access_key_id": ACCESS_KEY_ID,
            "aws_secret_access_key": secrets.token_urlsafe(30),  # 40 characters, as AWS's have
        }
        content = StringIO()
        file.write(content)
        write_private(home.aws_credentials, content.getvalue())
    home.aws_credentials.chmod(0o600)
    return read_credentials(home.aws_credentials)


def read_credentials(path: Path) -> Credentials:
    """Return the credentials in the file. Raises CloudError if it is missing, unreadable or incomplete."""
    file = ConfigParser(interpolation=None)
    try:
        file.read_string(path.read_text())
        secret = file[_PROFILE]["aws_secret_access_key"]
    except (OSError, UnicodeDecodeError, Error, KeyError):  # their messages could quote the secret
        secret = ""
    if not secret:
        raise CloudError(
            f"The AWS credentials of the PC's cloud can't be read from {path}.",
            advice="Run `reel down`, remove the file if it exists, and run `reel up`: it makes new ones.",
        )
    return Credentials(secret)
