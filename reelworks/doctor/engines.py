"""Check which engines have their models on this PC."""

from reelworks.cloud.home import Home
from reelworks.finding import Finding
from reelworks.models import SOURCES, Listed


def engine_finding(name: str, home: Home) -> Finding:
    model = Listed.of(name, home.models)
    folder = home.models / name
    if model.state == "here":
        return Finding(f"Engine {name}", True, False, str(folder))
    shipped = home.checkout / "models" / name
    if not folder.exists() and shipped.is_dir():
        found = f"comes with Reelworks ({shipped}); the first `reel up` links it to {folder}"
        return Finding(f"Engine {name}", True, False, found)
    if model.state == "no manifest":
        todo = f"reel models trust {name}, if you trust the source of its files; reel up"
    elif name in SOURCES:
        todo = f"reel models pull {name}; reel up"
    else:
        todo = f"put a checkpoint in {folder}; reel models trust {name}; reel up"
    return Finding(f"Engine {name}", False, False, f"model: {model.state}", todo)
