"""Where the cloud listens, and the paths of its own."""

API_PATH = "/v1"
IDENTITY_PATH = "/_reelworks"  # answers {"pid": …}; no bucket may be named so


def address(port: int) -> str:
    return f"http://127.0.0.1:{port}"
