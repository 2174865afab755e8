"""Serve the studio: the files of the folder studio/, and how to sign in (config.json).

    /studio               redirects to /studio/
    /studio/              index.html, whose references lead to the files of this version
    /studio/config.json   version, API and ways to sign in
    /studio/{hash}/…      the files, which never change: the hash is that of them all

An older version's hash is not found, so a page never mixes two versions. The function has no libraries, for
a short start; it answers text only, which the gateway compresses.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from lambdas.domain.names import REQUEST_ID_HEADER, STUDIO_PATH

FOLDER = Path(__file__).parents[2] / "studio"
_INDEX = "index.html"
_CONFIG = "config.json"

# By suffix. A binary file would reach browsers as base64: API Gateway decodes an answer only for requests
# whose first accepted type is one of the API's binary types, and browsers ask for */*.
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".webmanifest": "application/manifest+json; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    "": "text/plain; charset=utf-8",  # LICENSE
}
_FOREVER = "public, max-age=31536000, immutable"
_ASK = "no-cache"  # ask whether it has changed
# What is no page obeys no policy of its own, so it allows nothing, and has none of a page's other headers:
# those of 30 files would be as large as half their texts.
_PAGES = (".html", ".svg")
_OF_A_FILE = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_REFERENCE = re.compile(r'\b(src|href)="(?:\./)?([^"#?:]+)')
_TAG = re.compile(r'(?:W/)?("[^"]*")')


class UnknownType(Exception):
    """The studio has a file whose content type is unknown; the message names it."""


@dataclass(frozen=True)
class _File:
    type: str
    text: str
    cache: str
    security: Mapping[str, str]

    @cached_property
    def etag(self) -> str:
        # Weak: the gateway may compress the bytes.
        return f'W/"{hashlib.sha256(self.text.encode()).hexdigest()[:32]}"'


class Studio:
    """The files as they are served. `environment` is what `lambdas.settings.StudioSettings` is written to."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Raises UnknownType."""
        texts = {
            path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        digest = hashlib.sha256()
        for name, text in texts.items():
            digest.update(f"{name}\0{hashlib.sha256(text.encode()).hexdigest()}\0".encode())
        self.hash = digest.hexdigest()[:16]
        setting = {name: environment[f"REELWORKS_{name.upper()}"] for name in _SETTINGS}
        self._security = _security(setting["media_origins"], setting["sign_in_domain"])
        self._files = {
            f"{self.hash}/{name}": self._file(name, text, _FOREVER) for name, text in texts.items()
        }
        self._files[""] = self._files[_INDEX] = self._file(_INDEX, self._page(texts), _ASK)
        self._files[_CONFIG] = self._file(_CONFIG, json.dumps(_config(setting)), _ASK)

    def answer(self, path: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str], str]:
        """Return status, headers and body for a GET of a path of the API. HTTP leaves a HEAD's body out."""
        if path == STUDIO_PATH.rstrip("/"):
            # Relative: the path of the stage stays.
            moved = {**self._security, "Location": "studio/", "Cache-Control": _ASK}
            return 302, {**moved, "Content-Type": _TYPES[".txt"]}, ""
        file = self._files.get(path.removeprefix(STUDIO_PATH))
        if file is None:
            return self._not_found()
        # Also when it has not changed: without a type, the gateway would add one of its own.
        found = {**file.security, "Content-Type": file.type, "Cache-Control": file.cache, "ETag": file.etag}
        return (304, found, "") if _has(headers, file.etag) else (200, found, file.text)

    def _file(self, name: str, text: str, cache: str) -> _File:
        security = self._security if name.endswith(_PAGES) else _OF_A_FILE
        return _File(_type(name), text, cache, security)

    def _not_found(self) -> tuple[int, dict[str, str], str]:
        error = {
            "message": "The studio has no such file, or no longer: reload the page.",
            "type": "invalid_request_error",
            "param": None,
            "code": "not_found",
        }
        headers = {**self._security, "Cache-Control": "no-store", "Content-Type": "application/json"}
        return 404, headers, json.dumps({"error": error})

    def _page(self, texts: Mapping[str, str]) -> str:
        """Return index.html with the hash before each of the studio's files that it refers to. A <base> would
        do the same to the API's relative addresses."""

        def of_this_version(found: re.Match[str]) -> str:
            attribute, name = found.groups()
            return f'{attribute}="{self.hash}/{name}' if name in texts else found[0]

        return _REFERENCE.sub(of_this_version, texts[_INDEX])


_SETTINGS = ("studio_version", "media_origins", "sign_in", "sign_in_domain", "sign_in_client")


def _config(setting: Mapping[str, str]) -> dict[str, Any]:
    cognito = {"domain": setting["sign_in_domain"], "client_id": setting["sign_in_client"]}
    return {
        "version": setting["studio_version"],
        "api": "../v1",
        "sign_in": {
            "cognito": cognito if setting["sign_in"] == "cognito" else None,
            "link": setting["sign_in"] == "link",
        },
    }


def _security(media_origins: str, sign_in_domain: str) -> dict[str, str]:
    """Return the headers of a page. `media_origins`: where links to films lead and files are sent to,
    besides the studio's own origin."""

    def sources(*of: str) -> str:
        return " ".join(source for source in of if source)

    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": sources("'self'", "blob:", "data:", media_origins),
        "media-src": sources("'self'", "blob:", media_origins),
        "connect-src": sources("'self'", media_origins, sign_in_domain),
        "font-src": "'self'",
        "form-action": "'none'",
        "base-uri": "'self'",
        "frame-ancestors": "'none'",
    }
    unused = ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": ", ".join(f"{feature}=()" for feature in unused),
    }


def _type(name: str) -> str:
    found = _TYPES.get(Path(name).suffix.lower())
    if found is None:
        raise UnknownType(f"studio/{name} must end in one of: {', '.join(filter(None, _TYPES))}")
    return found


def _has(headers: Mapping[str, str], etag: str) -> bool:
    """Return whether the client has the file: If-None-Match, compared weakly."""
    stated = next((value for name, value in headers.items() if name.lower() == "if-none-match"), "")
    return stated.strip() == "*" or etag.removeprefix("W/") in _TAG.findall(stated)


@cache
def _studio() -> Studio:
    return Studio(FOLDER, os.environ)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    status, headers, body = _studio().answer(event["path"], event.get("headers") or {})
    headers[REQUEST_ID_HEADER] = event["requestContext"]["requestId"]
    return {
        "statusCode": status,
        "headers": headers,
        "body": body,
        "isBase64Encoded": False,
    }
