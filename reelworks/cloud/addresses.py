"""Where the cloud listens, its region, and the paths it reserves."""

REGION = "us-east-1"
API_PATH = "/v1"
IDENTITY_PATH = "/_reelworks"  # returns {"pid": …, "functions": …, "calls": …}; no bucket may have this name


def address(port: int) -> str:
    return f"http://127.0.0.1:{port}"
