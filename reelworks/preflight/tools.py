"""Check the programs that a deployment runs on this machine."""

import shutil

from reelworks.finding import Finding


def tools() -> list[Finding]:
    npx = shutil.which("npx")
    if npx is None:
        todo = "install Node.js 22 or newer (nodejs.org): `make deploy` runs the CDK CLI with npx"
        return [Finding("npx", False, True, "not on the PATH", todo)]
    return [Finding("npx", True, True, npx)]
