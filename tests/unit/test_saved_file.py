"""Where a download may go, and what is left there if it fails."""

import os
import stat
import threading
from pathlib import Path

import pytest

from reelworks.saved_file import SavedFile, check


def save(path: Path, content: bytes = b"film") -> None:
    check(path)
    with SavedFile(path) as file:
        file.begin("one")
        file.write(content)
        file.finish()


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("name", ["film.mp4", "a" * 255, "é" * 127, ".mp4", "film"])
def test_a_file_is_replaced_as_a_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for content in (b"one", b"two"):
        save(path, content)
        assert path.read_bytes() == content
    assert names(tmp_path) == [name]


@pytest.mark.parametrize(
    ("version", "error", "part"),
    [
        ("one", KeyboardInterrupt(), b"half"),
        ("one", OSError("full"), None),
        (None, KeyboardInterrupt(), None),
    ],
)
def test_what_was_there_stays_if_the_download_breaks_off(
    tmp_path: Path, version: str | None, error: BaseException, part: bytes | None
) -> None:
    """The part stays, too, if it can be continued."""
    path = tmp_path / "film.mp4"
    save(path)

    def broken_off() -> None:
        with SavedFile(path) as file:
            file.begin(version)
            file.write(b"half")
            raise error

    with pytest.raises(type(error)):
        broken_off()
    assert path.read_bytes() == b"film"
    parts = [tmp_path / name for name in names(tmp_path) if name != "film.mp4"]
    assert [one.read_bytes() for one in parts] == ([] if part is None else [part])
    assert all(one.name.startswith(".") and one.suffix == ".part" for one in parts)


def begun(path: Path, content: bytes = b"half", version: str = "one") -> None:
    """Leave a part behind, as a download does that is killed."""
    with SavedFile(path) as file:
        file.begin(version)
        file.write(content)


def test_a_part_is_continued(tmp_path: Path) -> None:
    begun(tmp_path / "film.mp4")
    with SavedFile(tmp_path / "film.mp4") as file:
        assert file.size == 4
        assert file.holds("one")
        assert not file.holds("two")
        assert not file.holds(None)
        file.write(b" and half")
        file.finish()
    assert (tmp_path / "film.mp4").read_bytes() == b"half and half"
    assert names(tmp_path) == ["film.mp4"]


@pytest.mark.parametrize("version", ["one", "two", None])
def test_a_part_that_is_begun_anew_has_nothing_of_the_old_one(tmp_path: Path, version: str | None) -> None:
    begun(tmp_path / "film.mp4")
    with SavedFile(tmp_path / "film.mp4") as file:
        file.begin(version)
        assert file.size == 0
        file.write(b"new")
        file.finish()
    assert (tmp_path / "film.mp4").read_bytes() == b"new"
    assert names(tmp_path) == ["film.mp4"]


def test_two_downloads_do_not_write_one_part(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with SavedFile(path) as file:
        file.begin("one")
        file.write(b"film")
        with pytest.raises(OSError, match="another download is writing it"), SavedFile(path):
            pass
        file.finish()
    assert path.read_bytes() == b"film"


def test_what_went_through_a_pipe_can_t_be_taken_back(tmp_path: Path) -> None:
    with SavedFile(Path("/dev/null")) as file:
        file.begin("one")
        file.write(b"half")
        assert file.holds("one")
        with pytest.raises(OSError, match="from its start again"):
            file.begin("two")


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_is_followed_and_stays(tmp_path: Path, exists: bool) -> None:
    (tmp_path / "disk").mkdir()
    target, link, second = tmp_path / "disk" / "film.mp4", tmp_path / "link.mp4", tmp_path / "second.mp4"
    if exists:
        target.write_bytes(b"old")
    link.symlink_to("disk/film.mp4")
    second.symlink_to(link)
    save(second)
    assert target.read_bytes() == b"film"
    assert link.is_symlink()
    assert second.is_symlink()
    assert names(tmp_path / "disk") == ["film.mp4"]


def test_a_pipe_is_written_through(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = os.urandom(300_000)  # more than a pipe holds
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    save(pipe, content)
    reader.join()
    assert read == [content]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert names(tmp_path) == ["pipe"]


def test_a_device_is_written_through(tmp_path: Path) -> None:
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    for path in (Path("/dev/null"), link):
        save(path)
        assert stat.S_ISCHR(path.stat().st_mode)
    assert link.is_symlink()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_device_says_so() -> None:
    with pytest.raises(OSError, match="No space left"):
        save(Path("/dev/full"))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        save(tmp_path)


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    os.mknod("s", stat.S_IFSOCK | 0o600)
    with pytest.raises(OSError, match="it is a socket"):
        save(Path("s"))


def test_a_disk_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As far as the operating system says that it is one."""
    path = tmp_path / "sda"
    path.write_bytes(b"everything")
    real = os.stat

    def as_disk(of: object, **options: object) -> os.stat_result:
        found = real(of, **options)  # type: ignore[call-overload]
        return os.stat_result([stat.S_IFBLK | 0o600, *found[1:]]) if of == path else found

    monkeypatch.setattr(os, "stat", as_disk)
    with pytest.raises(OSError, match="it is a disk"):
        save(path)
    monkeypatch.undo()
    assert path.read_bytes() == b"everything"


@pytest.mark.parametrize("name", ["a" * 300 + ".mp4", "missing/" + "a" * 300 + ".mp4", "é" * 128, "a" * 304])
def test_a_name_that_is_too_long_is_known_at_once(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match="File name too long"):
        check(tmp_path / name)
    assert names(tmp_path) == []


def test_a_path_through_a_file_is_known_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "film.mp4", tmp_path / "file" / "folder" / "film.mp4"):
        with pytest.raises(NotADirectoryError):
            check(path)


def test_a_circle_of_links_is_known_at_once(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        check(tmp_path / "a")


def test_a_folder_that_can_t_be_written_is_known_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() == 0:  # root may write everywhere
        real = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path and real(path, mode))
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        check(tmp_path / "new" / "film.mp4")


@pytest.mark.parametrize("linked", [False, True])
def test_a_read_only_file_stays(tmp_path: Path, linked: bool) -> None:
    film, path = tmp_path / "film.mp4", tmp_path / ("link.mp4" if linked else "film.mp4")
    film.write_bytes(b"kept")
    film.chmod(0o444)
    if linked:
        path.symlink_to(film)
    with pytest.raises(PermissionError, match="it is read-only"):
        check(path)
    with pytest.raises(PermissionError, match="it is read-only"), SavedFile(path):
        pass
    assert film.read_bytes() == b"kept"


def test_checking_creates_nothing(tmp_path: Path) -> None:
    check(tmp_path / "films" / "film.mp4")
    assert names(tmp_path) == []
