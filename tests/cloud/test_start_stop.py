import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from botocore.exceptions import ClientError

from reelworks.cloud.backends.voice.piper import BUNDLED
from reelworks.cloud.errors import CloudError
from reelworks.cloud.home import Home
from reelworks.cloud.lifecycle import process_lock, start_stop
from reelworks.cloud.lifecycle.cloud_status import Status, status
from reelworks.cloud.lifecycle.start_stop import down, up
from tests.cloud import small_stack
from tests.cloud.servers import free_port, wait_until


def pid_of(home: Home) -> int:
    process = process_lock.running(home)
    assert process
    return process.pid


def port_of(cloud: Status) -> int:
    assert cloud.aws_endpoint_url
    port = urlsplit(cloud.aws_endpoint_url).port
    assert port
    return port


def alive(pid: int) -> bool:
    """Return whether a process with that pid runs. A zombie does once its other threads have ended too: until
    then, it holds its locks."""
    process = Path(f"/proc/{pid}")
    try:
        is_zombie = (process / "stat").read_text().rpartition(") ")[2][0] == "Z"
        return not is_zombie or len(list((process / "task").iterdir())) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(*pids: int) -> None:
    wait_until(lambda: not any(alive(pid) for pid in pids))


def workers_of(home: Home) -> set[int]:
    """Return the functions' processes, identified by their working folder."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if str(home.scratch).encode() in (folder / "cmdline").read_bytes() and alive(int(folder.name)):
                found.add(int(folder.name))
        except OSError:
            continue
    return found


@contextmanager
def foreign_listener(port: int) -> Iterator[None]:
    """Another program that uses the port."""
    with socket.create_server(("127.0.0.1", port)):
        yield


def workers_at_work(home: Home, cloud: Status) -> set[int]:
    """Make a function sleep longer than any test, and return all functions' processes."""
    small_stack.aws(cloud, "lambda").invoke(
        FunctionName=cloud.outputs["SleepFunction"], InvocationType="Event", Payload=b'{"seconds": 50}'
    )
    s3 = small_stack.aws(cloud, "s3")
    wait_until(lambda: s3.list_objects_v2(Bucket=small_stack.BUCKET, Prefix="asleep")["KeyCount"] > 0)
    return workers_of(home)


def test_up_prints_the_cloud_s_address_and_down_that_it_stopped(home: Home) -> None:
    assert status(home) == Status("down", None, None, None, None, "us-east-1", {})
    cloud = up(home)
    assert cloud.state == "up"
    assert cloud.base_url == f"{cloud.aws_endpoint_url}/v1"
    assert cloud.outputs["OutputBucket"] == small_stack.BUCKET
    assert httpx.get(f"{cloud.base_url}/videos", timeout=30).status_code == 200
    assert status(home) == cloud
    pid = pid_of(home)
    assert down(home) == Status(
        "down", None, cloud.api_key, None, cloud.aws_credentials_file, "us-east-1", {}
    )
    wait_until_gone(pid)
    assert workers_of(home) == set()


def test_only_the_user_can_read_the_home(shared_home: Home) -> None:
    assert shared_home.folder.stat().st_mode & 0o777 == 0o700
    for file in (shared_home.key_file, shared_home.log, shared_home.record):
        assert file.stat().st_mode & 0o777 == 0o600


def test_up_again_changes_nothing(shared_home: Home) -> None:
    before, pid = status(shared_home), pid_of(shared_home)
    assert up(shared_home) == before
    assert pid_of(shared_home) == pid


def test_concurrent_ups_start_one_cloud(home: Home) -> None:
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(up, [home, home])
    assert first == second
    assert first.state == "up"


def test_the_tenants_key_is_registered(cloud: Status) -> None:
    assert cloud.api_key
    table = small_stack.aws(cloud, "dynamodb").scan(TableName=cloud.outputs["ApiKeysTable"])
    (item,) = table["Items"]
    assert json.loads(item["document"]["S"])["tenant"] == "local"
    assert cloud.api_key not in str(item)


def test_upkeep_is_invoked_to_restore(cloud: Status) -> None:
    notes = small_stack.notes(small_stack.aws(cloud, "s3"))
    assert {"restore": True} in [note["event"] for note in notes]


def test_down_when_down_does_nothing(home: Home) -> None:
    assert down(home).state == "down"


def test_a_failed_restore_is_reported_and_leaves_nothing_running(home: Home) -> None:
    code = small_stack.CODE.replace("    note = json", "    raise KeyError('lost')\n    note = json")
    small_stack.write_checkout(home.checkout, small_stack.template(), code)
    with pytest.raises(CloudError, match="lost"):
        up(home)
    assert process_lock.running(home) is None


def test_an_unwritable_home_is_reported(home: Home) -> None:
    home.s3.parent.mkdir(parents=True, exist_ok=True)
    home.s3.touch()  # not even root can create a folder here
    with pytest.raises(CloudError, match="The home folder can't be created or written"):
        up(home)
    home.s3.unlink()


def test_a_cloud_that_ends_during_setup_is_reported(home: Home) -> None:
    kill = "import psutil; os.kill(psutil.Process(os.getppid()).ppid(), 9)"  # the fork server's parent
    code = small_stack.CODE.replace("    note = json", f"    {kill}\n    note = json")
    small_stack.write_checkout(home.checkout, small_stack.template(), code)
    with pytest.raises(CloudError, match="could not be set up"):
        up(home)
    assert process_lock.running(home) is None


def test_a_write_that_does_not_reach_the_disk_fails(home: Home) -> None:
    cloud = up(home)
    s3 = small_stack.aws(cloud, "s3")
    [bucket] = home.s3.glob(f"*/{small_stack.BUCKET}")
    s3.put_object(Bucket=small_stack.BUCKET, Key="before", Body=b"kept")
    away = bucket.rename(bucket.with_name("away"))
    bucket.touch()  # not a folder, so nobody can write files in it
    with pytest.raises(ClientError, match=r"InternalError.*Failed to persist"):
        s3.put_object(Bucket=small_stack.BUCKET, Key="during", Body=b"lost")
    bucket.unlink()
    away.rename(bucket)
    s3.put_object(Bucket=small_stack.BUCKET, Key="after", Body=b"kept")
    assert (bucket / "after").read_bytes() == b"kept"


def test_up_after_a_kill(home: Home) -> None:
    first = up(home)
    pid = pid_of(home)
    os.kill(pid, signal.SIGKILL)
    wait_until_gone(pid)
    assert status(home).state == "down"
    second = up(home)
    assert second.state == "up"
    assert (second.base_url, second.api_key) == (first.base_url, first.api_key)


def test_the_next_up_ends_functions_that_ran_during_a_kill(home: Home) -> None:
    workers = workers_at_work(home, up(home))
    os.kill(pid_of(home), signal.SIGKILL)
    up(home)
    wait_until_gone(*workers)


def test_down_ends_running_functions(home: Home) -> None:
    workers = workers_at_work(home, up(home))
    down(home)
    wait_until_gone(*workers)


def test_a_term_signal_alone_ends_running_functions(home: Home) -> None:
    workers = workers_at_work(home, up(home))
    pid = pid_of(home)
    os.kill(pid, signal.SIGTERM)
    wait_until_gone(pid, *workers)


def test_an_up_killed_halfway_is_repaired(home: Home) -> None:
    """As if `up` had died after deploying and before restoring."""
    up(home)
    pid = pid_of(home)
    record = json.loads(home.record.read_text())
    home.record.write_text(json.dumps({**record, "ready": False}))
    assert status(home).state == "down"
    assert up(home).state == "up"
    assert pid_of(home) != pid
    wait_until_gone(pid)


def test_the_api_is_closed_until_the_journal_is_restored(home: Home) -> None:
    cloud = up(home)
    record = json.loads(home.record.read_text())
    home.record.write_text(json.dumps({**record, "ready": False}))
    answer = httpx.get(f"{cloud.base_url}/videos", timeout=30)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_deployed")


def test_a_port_in_use_is_left_alone(home: Home) -> None:
    first = up(home)
    down(home)
    with foreign_listener(port_of(first)):
        assert status(home).state == "down"
        second = up(home)
        assert second.base_url != first.base_url
        assert status(home).state == "up"


def test_an_explicit_port_in_use_is_an_error(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CloudError, match=str(port)):
            up(home, port)
    assert process_lock.running(home) is None


def test_another_port_restarts_the_cloud(home: Home) -> None:
    port = free_port()
    assert port_of(up(home)) != port
    assert port_of(up(home, port)) == port


def test_down_never_stops_another_process_with_the_old_pid(home: Home) -> None:
    up(home)
    down(home)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as foreign:
        home.process_lock.write_text(json.dumps({"pid": foreign.pid, "port": 1}))
        down(home)
        up(home)
        assert foreign.poll() is None
        assert foreign.stdin
        foreign.stdin.close()


def test_a_cloud_that_does_not_respond_is_replaced(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_stop, "_PATIENCE_SECONDS", 1)
    up(home)
    pid = pid_of(home)
    os.kill(pid, signal.SIGSTOP)
    assert up(home).state == "up"
    wait_until_gone(pid)


def test_a_new_model_restarts_the_cloud_with_its_engine(home: Home) -> None:
    assert up(home).outputs["Engines"] == "animatic"
    model = home.models / "cogvideox-5b"
    model.mkdir()
    (model / "manifest.json").write_text("{}")
    assert up(home).outputs["Engines"] == "animatic,cogvideox-5b"


def test_the_bundled_voice_narrates(home: Home) -> None:
    outputs = up(home).outputs
    assert (outputs["Voice"], outputs["VoiceEngine"]) == (BUNDLED, "standard")


def test_functions_see_no_secret_of_the_shell(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "s3cr3t-of-the-user"
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "OPENAI_API_KEY", "REELWORKS_TEXT_API_KEY"):
        monkeypatch.setenv(name, secret)
    monkeypatch.setenv("REELWORKS_TEXT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("REELWORKS_TEXT_MODEL", "m")
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    cloud = up(home)
    (note,) = small_stack.notes(small_stack.aws(cloud, "s3"))
    assert secret not in note["environment"].values()
    assert "AWS_PROFILE" not in note["environment"]
    assert note["environment"]["AWS_ENDPOINT_URL"] == cloud.aws_endpoint_url
