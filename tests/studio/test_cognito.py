"""Signing in by Cognito: the studio's own code against a login page that the test serves.

The page of a PC may only reach its own origin, so the test adds the login's address to its policy, as the
Studio function does on AWS (tests/unit/test_studio.py).
"""

import base64
import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.studio.browser import WAIT_MS, Window
from tests.studio.conftest import OpenWindow

DOMAIN = "https://login.test"
CLIENT = "studio-client"
HOUR = 3_600
ENDED = "Your session has ended. Sign in again."


@dataclass
class Login:
    """Cognito's managed login and its token endpoint. `fails`: what the next refreshes are answered."""

    studio: str
    id_token: str
    fails: list[int] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)  # of the token endpoint
    signed_out: list[dict[str, str]] = field(default_factory=list)
    challenges: dict[str, str] = field(default_factory=dict)  # by code that was not used
    tokens: int = 0

    def serve(self, route: Route) -> None:
        url = urlsplit(route.request.url)
        query = dict(parse_qsl(url.query))
        if url.path == "/oauth2/authorize":
            self._page(route, query)
        elif url.path == "/oauth2/token":
            self._tokens(route, dict(parse_qsl(route.request.post_data or "")))
        else:
            self.signed_out.append(query)
            route.fulfill(body="<p>Signed out</p>", content_type="text/html")

    def _page(self, route: Route, query: dict[str, str]) -> None:
        assert query["client_id"] == CLIENT
        assert query["redirect_uri"] == self.studio
        assert (query["response_type"], query["scope"]) == ("code", "openid")
        assert query["code_challenge_method"] == "S256"
        code = f"code-{len(self.challenges)}"
        self.challenges[code] = query["code_challenge"]
        back = f"{self.studio}?{urlencode({'code': code, 'state': query['state']})}"
        route.fulfill(body=f'<a href="{back.replace("&", "&amp;")}">Continue</a>', content_type="text/html")

    def _tokens(self, route: Route, sent: dict[str, str]) -> None:
        self.asked.append(sent)
        assert sent["client_id"] == CLIENT
        if sent["grant_type"] == "authorization_code":
            digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            good = self.challenges.pop(sent["code"], "") == challenge and sent["redirect_uri"] == self.studio
            status = 200 if good else 400
        else:
            current = sent["refresh_token"] == f"refresh-{self.tokens}"  # each can be used once
            status = self.fails.pop(0) if self.fails else 200 if current else 400
        answer: dict[str, Any] = {"error": "invalid_grant"}
        if status == 200:
            self.tokens += 1
            answer = {
                "id_token": self.id_token,
                "expires_in": HOUR,
                "refresh_token": f"refresh-{self.tokens}",
            }
        route.fulfill(status=status, json=answer, headers={"access-control-allow-origin": "*"})


@pytest.fixture
def login(open_window: OpenWindow, studio: str, key: str) -> tuple[Window, Login]:
    """A window of a deployment whose users sign in by Cognito, and the login. The API takes the PC's key for
    an id token."""
    window = open_window()
    login = Login(studio, key)
    context = window.page.context

    def page(route: Route) -> None:
        answer = route.fetch()
        headers = dict(answer.headers)
        policy = headers["content-security-policy"]
        headers["content-security-policy"] = policy.replace("connect-src ", f"connect-src {DOMAIN} ")
        assert headers["content-security-policy"] != policy
        route.fulfill(response=answer, headers=headers)

    config = {"sign_in": {"cognito": {"domain": DOMAIN, "client_id": CLIENT}}}
    context.route(re.compile(f"^{re.escape(studio)}([?#]|$)"), page)
    context.route(f"{studio}config.json", lambda route: route.fulfill(json=config))
    context.route(f"{DOMAIN}/**", login.serve)
    return window, login


def sign_in(page: Page) -> None:
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("link", name="Continue").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def pass_time(page: Page, milliseconds: int, happened: Callable[[], bool]) -> None:
    """Put the page's clock forward, and let it run on until something has happened."""
    page.clock.fast_forward(milliseconds)
    deadline = time.monotonic() + WAIT_MS / 1000
    while not happened():
        assert time.monotonic() < deadline
        page.clock.run_for(5_000)
        page.wait_for_timeout(50)


def test_a_user_signs_in_stays_signed_in_and_signs_out(login: tuple[Window, Login]) -> None:
    window, server = login
    window.expect("400|503")
    page = window.page
    page.clock.install()
    window.open("/new")
    sign_in(page)
    assert page.url == f"{window.studio}#/new"  # where the user was, without the code
    assert [asked["grant_type"] for asked in server.asked] == ["authorization_code"]
    kept = str(page.evaluate("JSON.stringify(localStorage) + document.cookie"))
    assert not any(secret in kept for secret in (server.id_token, "refresh-1"))

    # Within the hour the token is renewed before it expires, with the latest refresh token.
    page.get_by_role("link", name="Films").click()
    with page.expect_response("**/v1/videos?*"):
        page.reload()  # the session is this window's
    for number in (1, 2):
        pass_time(page, (HOUR - 30) * 1000, lambda number=number: len(server.asked) > number)
        assert server.asked[-1]["refresh_token"] == f"refresh-{number}"
    assert len(server.asked) == 3

    # A fault of their server ends no session; a refusal does.
    server.fails = [503, 503, 503]
    pass_time(page, HOUR * 1000, lambda: not server.fails)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    server.fails = [400]
    pass_time(page, 60_000, lambda: not server.fails)
    expect(page.get_by_text(ENDED)).to_be_visible()
    sign_in(page)

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("Signed out")).to_be_visible()
    assert server.signed_out == [{"client_id": CLIENT, "logout_uri": window.studio}]
    window.open()
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()


def test_a_token_that_the_api_refuses_leads_to_signing_in(login: tuple[Window, Login]) -> None:
    window, server = login
    window.expect("401")
    page = window.open("/new")
    sign_in(page)
    server.id_token, good = "rk-expired", server.id_token
    page.evaluate(
        """() => sessionStorage.setItem("reelworks.session", JSON.stringify(
             {token: "rk-expired", expires: Date.now() + 1e7, refresh: "refresh-1"}))"""
    )
    page.reload()
    expect(page.get_by_text(ENDED)).to_be_visible()
    server.id_token = good
    sign_in(page)
    assert page.url == f"{window.studio}#/new"


BACK = {
    "begun elsewhere": (
        {"code": "code-9", "state": "forged"},
        "This sign-in was not begun in this window. Sign in here.",
    ),
    "refused": (
        {"error": "access_denied", "error_description": "User is disabled <b>now</b>"},
        "You aren't signed in: User is disabled <b>now</b>.",
    ),
}


@pytest.mark.parametrize("kind", BACK)
def test_a_sign_in_that_fails_says_why(login: tuple[Window, Login], kind: str) -> None:
    window, server = login
    query, said = BACK[kind]
    page = window.page
    page.goto(str(httpx.URL(window.studio, params=query)))
    expect(page.get_by_text(said)).to_be_visible()
    assert page.url == window.studio
    assert server.asked == []
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
