"""The container's image copies every file that the server and the model import."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "containers" / "cogvideox"


def test_the_server_starts_with_only_the_image_s_files(tmp_path: Path) -> None:
    image = tmp_path / "containers" / "cogvideox"
    image.mkdir(parents=True)
    (image.parent / "__init__.py").touch()
    (image.parent / "serving").mkdir()
    for file in (*FOLDER.glob("*.py"), *(FOLDER.parent / "serving").glob("*.py")):
        (image.parent / file.parent.name / file.name).write_bytes(file.read_bytes())
    # -P and no site: neither this repository nor its installation is on the path, only the libraries.
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    command = "import sys; sys.path += {!r}; import containers.diffusion.__main__, containers.diffusion.model"
    code = command.format(libraries) + "; print(containers.diffusion.__main__.__file__)"
    result = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert Path(result.stdout.strip()).parent == image
