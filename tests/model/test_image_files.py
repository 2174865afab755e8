"""The container's image copies every file that the server and the model import."""

import subprocess
import sys
from pathlib import Path

CONTAINERS = Path(__file__).parents[2] / "containers"
COPIED = ("diffusion/*.py", "diffusion/families/*.py", "serving/*.py")


def test_the_server_starts_with_only_the_image_s_files(tmp_path: Path) -> None:
    image = tmp_path / "containers"
    dockerfile = (CONTAINERS / "diffusion" / "Dockerfile").read_text(encoding="utf-8")
    for pattern in COPIED:
        assert f"COPY containers/{pattern} " in dockerfile
        for file in CONTAINERS.glob(pattern):
            copy = image / file.relative_to(CONTAINERS)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    (image / "__init__.py").touch()
    # -P and no site: neither this repository nor its installation is on the path, only the libraries.
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    command = "import sys; sys.path += {!r}; import containers.diffusion.__main__, containers.diffusion.model"
    code = command.format(libraries) + "; print(containers.diffusion.__main__.__file__)"
    result = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert Path(result.stdout.strip()).parent == image / "diffusion"
