import os
from pathlib import Path

import pytest

from reelworks.cloud.credentials import ACCESS_KEY_ID, ensure_credentials, read_credentials
from reelworks.cloud.errors import CloudError
from reelworks.cloud.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home", tmp_path)
    home.create()
    return home


def test_they_are_made_once_for_their_owner_only(home: Home) -> None:
    before = os.umask(0)
    try:
        made = ensure_credentials(home)
    finally:
        os.umask(before)
    assert home.aws_credentials.stat().st_mode & 0o777 == 0o600
    assert (made.access_key_id, len(made.secret_access_key)) == (ACCESS_KEY_ID, 40)
    assert ensure_credentials(home) == made == read_credentials(home.aws_credentials)


def test_each_home_has_its_own(home: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "other", tmp_path)
    other.create()
    assert ensure_credentials(other) != ensure_credentials(home)


def test_a_file_that_others_can_read_is_taken_from_them(home: Home) -> None:
    ensure_credentials(home)
    home.aws_credentials.chmod(0o644)
    ensure_credentials(home)
    assert home.aws_credentials.stat().st_mode & 0o777 == 0o600


def test_the_secret_is_not_shown(home: Home) -> None:
    made = ensure_credentials(home)
    assert made.secret_access_key not in f"{made!r} {made}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"s3cr3t",
        b"[default]\naws_access_key_id = s3cr3t\n",
        b"[default]\naws_secret_access_key =\n",
        b"[other]\naws_secret_access_key = s3cr3t\n",
        b"[default]\naws_secret_access_key = s3cr3t\n[default]\n",
        b"\xff",
    ],
)
def test_a_damaged_file_is_reported_without_its_content(home: Home, content: bytes) -> None:
    home.aws_credentials.write_bytes(content)
    with pytest.raises(CloudError, match="can't be read") as failed:
        ensure_credentials(home)
    assert "s3cr3t" not in f"{failed.value.message} {failed.value.advice}"


def test_a_missing_file_is_reported(home: Home) -> None:
    with pytest.raises(CloudError, match="can't be read"):
        read_credentials(home.aws_credentials)
