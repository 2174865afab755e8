"""The folder with all state of the PC's cloud, and the code it runs: the repository's, or a wheel's copy."""

import json
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from reelworks.cloud.errors import CloudError

CHECKOUT = Path(__file__).resolve().parents[2]
# A wheel's copy is in a folder of site-packages with this name (pyproject.toml).
FROM_A_WHEEL = CHECKOUT.name == "reelworks_source"
PRIVATE_UMASK = 0o077  # of each process that writes in the home folder


@dataclass(frozen=True)
class Home:
    """The home folder. Only its owner has access: it holds films, the API key and the functions' code."""

    folder: Path
    checkout: Path = CHECKOUT  # the code that is deployed

    @classmethod
    def locate(cls) -> Self:
        """Return the home at `$REELWORKS_HOME`, else at `.reelworks` in the checkout, or in the user's own
        folder if Reelworks was installed from a wheel. Creates nothing."""
        chosen = os.environ.get("REELWORKS_HOME")
        if chosen:
            return cls(Path(chosen).expanduser().resolve())
        return cls((Path.home() if FROM_A_WHEEL else CHECKOUT) / ".reelworks")

    @property
    def s3(self) -> Path:
        """The buckets: everything that must survive a kill -9 (design.md: "S3 is the journal")."""
        return self.folder / "s3"

    @property
    def settings(self) -> Path:
        """The user's settings file (see settings.Settings); optional."""
        return self.folder / "reelworks.toml"

    @property
    def models(self) -> Path:
        return self.folder / "models"

    @property
    def scratch(self) -> Path:
        """Temporary files of the cloud and its functions; emptied before each start."""
        return self.folder / "tmp"

    @property
    def assembly(self) -> Path:
        return self.folder / "cdk.out"

    @property
    def record(self) -> Path:
        """The record of what is deployed, and by which process (deployment_record.py)."""
        return self.folder / "cloud.json"

    @property
    def log(self) -> Path:
        return self.folder / "cloud.log"

    @property
    def engine_logs(self) -> Path:
        return self.folder / "engines"

    @property
    def build_logs(self) -> Path:
        return self.folder / "builds"

    @property
    def executions(self) -> Path:
        """The executions that ended in the last day (services/execution_history.py)."""
        return self.folder / "executions"

    @property
    def key_file(self) -> Path:
        return self.folder / "api_key"

    @property
    def signing_key(self) -> Path:
        """What films are signed with (lifecycle/development_certificate.py)."""
        return self.folder / "signing_key.json"

    @property
    def aws_credentials(self) -> Path:
        """What requests to the cloud's AWS services are signed with, in the format of ~/.aws/credentials."""
        return self.folder / "aws_credentials"

    @property
    def change_lock(self) -> Path:
        """The lock held while the cloud is started or stopped, so that only one caller does so at a time."""
        return self.folder / "change.lock"

    @property
    def process_lock(self) -> Path:
        """The lock that the cloud's process holds while it is alive; the file contains its pid and port."""
        return self.folder / "life.lock"  # historical name: a cloud of an earlier version may hold it

    def create(self) -> None:
        """Create the folder, with links to the checkout's own models unless a model of that name exists.

        Raises CloudError if the folder can't be written.
        """
        try:
            for folder in (self.folder, self.s3, self.models, self.scratch):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            for shipped in (self.checkout / "models").glob("*/"):
                here = self.models / shipped.name
                if here.is_symlink() and not here.exists():  # links to a deleted checkout
                    here.unlink(missing_ok=True)
                with suppress(FileExistsError):
                    here.symlink_to(shipped, target_is_directory=True)
        except OSError as error:
            raise CloudError(
                f"The home folder can't be created or written: {error}.",
                advice="Set REELWORKS_HOME to a folder that you own, on a disk with free space.",
            ) from error

    def make_private(self) -> None:
        """Take everything in the folder from other users, also what an earlier version left readable.

        Links are left alone, since they lead to the checkout or to where the user keeps weights, and so is
        what another user put there. Raises CloudError if that fails.
        """
        try:
            for folder, _, files in os.walk(self.folder):
                for path in (folder, *(os.path.join(folder, name) for name in files)):
                    found = os.lstat(path)
                    own = found.st_uid == os.geteuid() and not stat.S_ISLNK(found.st_mode)
                    if own and found.st_mode & PRIVATE_UMASK:
                        os.chmod(path, stat.S_IMODE(found.st_mode) & ~PRIVATE_UMASK)
        except OSError as error:
            raise CloudError(
                f"The home folder can't be closed to other users: {error}.",
                advice="Set REELWORKS_HOME to a folder that you own, on a disk with permissions.",
            ) from error


def install_command(extra: str) -> str:
    """Return the command that adds an extra to Reelworks as it was installed."""
    return f"pip install 'reelworks[{extra}]'" if FROM_A_WHEEL else f"pip install -e '.[{extra}]'"


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in the file; empty if the file is missing or empty."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    document: dict[str, Any] = json.loads(content) if content else {}
    return document


def write_private(path: Path, content: str) -> None:
    """Replace the file atomically: after a crash, and for any reader, it has the old content or the new."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    new.replace(path)
