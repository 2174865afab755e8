"""The type checker reads those of CDK's services that the app uses, and no others (pyproject.toml)."""

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_service_that_the_app_uses_is_checked() -> None:
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
    [checked] = [one["module"] for one in configured["overrides"] if "aws_cdk" in one["module"]]
    imported = {
        f"aws_cdk.{name.name}"
        for file in [ROOT / "app.py", *(ROOT / "cdk").glob("**/*.py")]
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "aws_cdk"
        for name in node.names
        if name.name.startswith("aws_")
    }
    assert sorted(imported) == sorted(set(checked) - {"aws_cdk"})
