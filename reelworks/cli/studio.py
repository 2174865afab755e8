"""`reel studio`: open the studio in the browser."""

import webbrowser
from typing import Annotated, Any

import typer

from reelworks.cli.terminal import Json, fail, out, print_json

app = typer.Typer()


@app.command()
def studio(
    open_it: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the browser, or only print the link.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Open the studio in the browser: on this PC signed in, by a link that works once within a minute."""
    found = _link()
    opened = open_it and webbrowser.open(found["url"])
    if as_json:
        print_json(found | {"opened": opened})
    elif opened:
        out.print("opened in the browser")
    else:
        out.print(found["url"], soft_wrap=True, markup=False, highlight=False)


def _link() -> dict[str, Any]:
    """Return {"url", "expires_in"}: the seconds for which the link signs in, None if it signs nobody in."""
    import httpx

    from reelworks.client import NoAddress, find_address

    try:
        address = find_address()
    except NoAddress as error:
        fail(error.message)
    root = address.base_url.removesuffix("/v1")
    try:
        with httpx.Client(timeout=30) as http:
            settings = http.get(f"{root}/studio/config.json")
            if settings.status_code == httpx.codes.NOT_FOUND:
                fail(f"{root} has no studio; set `studio` to true in cdk.json and deploy again")
            if not settings.raise_for_status().json()["sign_in"]["link"]:
                return {"url": f"{root}/studio/", "expires_in": None}
            key = {"Authorization": f"Bearer {address.api_key}"}
            made: dict[str, Any] = http.post(f"{root}/studio/link", headers=key).raise_for_status().json()
            return made
    except httpx.HTTPStatusError as error:
        fail(f"the studio at {root} answered {error.response.status_code}: {_said(error.response)}")
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        fail(f"no studio answers at {root}: {error}")


def _said(answer: Any) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return "no reason given"
