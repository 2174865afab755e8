"""The studio's files, as its function serves them."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lambdas.settings import StudioSettings, env_of
from lambdas.studio import serve
from lambdas.studio.serve import Studio, UnknownType

INDEX = """<!doctype html>
<link rel="stylesheet" href="looks/studio.css"><link rel="icon" href="./icon.svg#light">
<script type="module" src="app.js?x=1"></script>
<a href="#main">Skip</a><a href="https://example.com/app.js">Elsewhere</a><a href="missing.js">Missing</a>
<a href="../docs">The API</a>
"""
FILES = {
    "index.html": INDEX,
    "app.js": 'import "./parts/film.js";\n',
    "parts/film.js": "export const film = '🎬';\n",
    "looks/studio.css": "body { margin: 0 }\n",
    "icon.svg": "<svg/>",
    "shapes.json": "{}",
    "vendor/LICENSE": "Free\n",
    "vendor/README.md": "Vendored\n",
}
ON_AWS = StudioSettings(
    studio_version="1.2.3",
    media_origins="https://out.s3.eu-west-1.amazonaws.com https://in.s3.eu-west-1.amazonaws.com",
    sign_in="cognito",
    sign_in_domain="https://reelworks-0a1b2c.auth.eu-west-1.amazoncognito.com",
    sign_in_client="client1",
)
ON_A_PC = StudioSettings(
    studio_version="1.2.3", media_origins="", sign_in="link", sign_in_domain="", sign_in_client=""
)


def folder(root: Path, **changed: str) -> Path:
    for name, text in {**FILES, **changed}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(folder(tmp_path), env_of(ON_AWS))


def get(studio: Studio, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    return studio.answer(path, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("app.js", "text/javascript; charset=utf-8"),
        ("parts/film.js", "text/javascript; charset=utf-8"),
        ("looks/studio.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml; charset=utf-8"),
        ("shapes.json", "application/json; charset=utf-8"),
        ("vendor/LICENSE", "text/plain; charset=utf-8"),
        ("vendor/README.md", "text/plain; charset=utf-8"),
    ],
)
def test_a_file_of_this_version_never_changes(studio: Studio, name: str, type_: str) -> None:
    status, headers, body = get(studio, f"/studio/{studio.hash}/{name}")
    assert (status, headers["Content-Type"], body) == (200, type_, FILES[name])
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("path", ["/studio/", "/studio/index.html"])
def test_the_page_refers_to_the_files_of_its_version(studio: Studio, path: str) -> None:
    status, headers, page = get(studio, path)
    assert (status, headers["Cache-Control"]) == (200, "no-cache")
    assert re.findall(r'(?:src|href)="([^"]+)', page) == [
        f"{studio.hash}/looks/studio.css",
        f"{studio.hash}/icon.svg#light",
        f"{studio.hash}/app.js?x=1",
        "#main",
        "https://example.com/app.js",
        "missing.js",
        "../docs",
    ]


def test_without_a_slash_it_redirects_within_the_stage(studio: Studio) -> None:
    status, headers, body = get(studio, "/studio")
    assert (status, headers["Location"], body) == (302, "studio/", "")


@pytest.mark.parametrize("name", FILES)
def test_each_change_of_a_file_is_another_version(studio: Studio, tmp_path: Path, name: str) -> None:
    changed = Studio(folder(tmp_path / "changed", **{name: FILES[name] + " "}), env_of(ON_AWS))
    assert changed.hash != studio.hash
    renamed = folder(tmp_path / "renamed")
    (renamed / name).rename(renamed / "other.txt")
    if name != "index.html":
        assert Studio(renamed, env_of(ON_AWS)).hash != studio.hash
    # A page of an older version gets nothing of the new one.
    assert get(changed, f"/studio/{studio.hash}/app.js")[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/studio/app.js",
        "/studio/HASH/",
        "/studio/HASH",
        "/studio/HASH/config.json",
        "/studio/HASH/../index.html",
        "/studio/HASH/../../lambdas/settings.py",
        "/studio/HASH/%2e%2e/index.html",
        "/studio/../lambdas/settings.py",
        "/studio//etc/passwd",
        "/studio/HASH//app.js",
        "/studio/HASH/parts",
        "/studio/HASH/app.js\x00",
        "/studio/HASH/..\\index.html",
        "/studio/0000000000000000/app.js",
        "/studiox",
        "/v1/videos",
    ],
)
def test_another_path_is_not_found_in_the_api_s_shape(studio: Studio, path: str) -> None:
    status, headers, body = get(studio, path.replace("HASH", studio.hash))
    assert (status, headers["Cache-Control"]) == (404, "no-store")
    assert headers["Content-Type"] == "application/json"
    error = json.loads(body)["error"]
    assert error == {
        "message": error["message"],
        "type": "invalid_request_error",
        "param": None,
        "code": "not_found",
    }
    assert "passwd" not in error["message"]


@pytest.mark.parametrize("path", ["/studio/", "/studio/config.json", "/studio/HASH/app.js"])
def test_who_has_a_file_gets_304(studio: Studio, path: str) -> None:
    path = path.replace("HASH", studio.hash)
    _, headers, _ = get(studio, path)
    tag = headers["ETag"]
    strong = tag.removeprefix("W/")
    for stated in (tag, strong, f'"other", {tag}', "*"):
        status, again, body = get(studio, path, If_None_Match=stated)
        assert (status, body, again) == (304, "", headers)
    for stated in ("", '"other"', strong.strip('"')):
        assert get(studio, path, if_none_match=stated)[0] == 200


def test_files_have_tags_of_their_own(studio: Studio) -> None:
    tags = {get(studio, f"/studio/{studio.hash}/{name}")[1]["ETag"] for name in FILES}
    assert len(tags) == len(FILES)


def test_files_that_are_no_pages_allow_nothing(studio: Studio) -> None:
    for path in ("/studio/config.json", f"/studio/{studio.hash}/app.js"):
        headers = get(studio, path)[1]
        assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_every_page_has_the_strict_headers(studio: Studio) -> None:
    for path in ("/studio", "/studio/", "/studio/index.html", f"/studio/{studio.hash}/icon.svg", "/studio/x"):
        headers = get(studio, path)[1]
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        media = ON_AWS.media_origins
        assert policy == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": f"'self' blob: data: {media}",
            "media-src": f"'self' blob: {media}",
            "connect-src": f"'self' {media} {ON_AWS.sign_in_domain}",
            "font-src": "'self'",
            "form-action": "'none'",
            "base-uri": "'self'",
            "frame-ancestors": "'none'",
        }
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "microphone=()" in headers["Permissions-Policy"]


def test_on_a_pc_nothing_but_the_own_origin_is_allowed(tmp_path: Path) -> None:
    headers = get(Studio(folder(tmp_path), env_of(ON_A_PC)), "/studio/")[1]
    assert "http" not in headers["Content-Security-Policy"]
    assert "connect-src 'self';" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("settings", "sign_in"),
    [
        (
            ON_AWS,
            {"cognito": {"domain": ON_AWS.sign_in_domain, "client_id": "client1"}, "link": False},
        ),
        (ON_A_PC, {"cognito": None, "link": True}),
    ],
)
def test_the_page_is_told_how_to_sign_in(
    tmp_path: Path, settings: StudioSettings, sign_in: dict[str, Any]
) -> None:
    status, headers, body = get(Studio(folder(tmp_path), env_of(settings)), "/studio/config.json")
    assert (status, headers["Cache-Control"]) == (200, "no-cache")
    assert json.loads(body) == {"version": "1.2.3", "api": "../v1", "sign_in": sign_in}


@pytest.mark.parametrize("name", ["font.woff2", "poster.png"])
def test_a_binary_file_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownType, match=rf"studio/{name} must end in one of: \.html, \.js, \.css"):
        Studio(folder(tmp_path, **{name: ""}), env_of(ON_AWS))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_handler_answers_api_gateway(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, method: str
) -> None:
    monkeypatch.setattr(serve, "FOLDER", folder(tmp_path))
    for name, value in env_of(ON_A_PC).items():
        monkeypatch.setenv(name, value)
    serve._studio.cache_clear()
    event: dict[str, Any] = {"path": "/studio/", "httpMethod": method, "headers": None}
    answer = serve.handler(event | {"requestContext": {"requestId": "r1"}}, None)
    serve._studio.cache_clear()
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    assert answer["headers"]["x-request-id"] == "r1"
    assert answer["body"].startswith("<!doctype html>")


def test_the_function_needs_no_library() -> None:
    """Its bundle has none."""
    code = (
        "import sys; before = set(sys.modules); import lambdas.studio.serve; "
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name for name in done.stdout.split() if name not in sys.stdlib_module_names} == {"lambdas"}


# --- the studio itself


def test_all_its_files_are_served_and_its_page_refers_to_them() -> None:
    studio = Studio(serve.FOLDER, env_of(ON_A_PC))
    page = get(studio, "/studio/")[2]
    references = re.findall(r"""\s(?:src|href)=["']?([^"'\s>]+)""", page)
    own = [one for one in references if not one.startswith("#")]
    assert own
    for reference in own:
        assert get(studio, f"/studio/{reference}")[0] == 200, reference
