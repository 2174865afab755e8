"""On Windows, `reel` says where it runs, and the client works."""

import subprocess
import sys

ON_WINDOWS = "import sys; sys.platform = 'win32'; "


def test_reel_names_wsl() -> None:
    asked = subprocess.run(
        [sys.executable, "-c", f"{ON_WINDOWS}import reelworks.cli"], capture_output=True, text=True
    )
    assert asked.returncode == 1
    assert "On Windows, run it in WSL" in asked.stderr


def test_the_client_needs_nothing_of_unix() -> None:
    without = "sys.modules.update(dict.fromkeys(['fcntl', 'resource', 'pwd', 'grp', 'termios']))"
    asked = f"import sys; {without}; from reelworks import Client; print(Client.__name__)"
    done = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)
    assert done.stdout == "Client\n"
