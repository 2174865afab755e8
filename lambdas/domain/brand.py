"""What a team's films have in common: colours, a font, a logo, an intro and an outro."""

import math
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from lambdas.domain import keys
from lambdas.domain.colours import Colours
from lambdas.domain.control_characters import NAME
from lambdas.domain.documents import Document
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.fonts import FONT_TYPES, FontFile, Lettered
from lambdas.domain.storyboard import (
    CARD_SECONDS,
    FRAME,
    OWN,
    Frame,
    OwnClip,
    Recording,
    Scene,
    SentFile,
    Storyboard,
    files_of,
    own_of,
    parse_storyboard,
    with_own,
    with_scene_files,
)
from lambdas.domain.wrong_fields import wrong_fields

BRAND_FONT = "brand.font_file"  # the path of its font
_ENDS = ("intro", "outro")


class Corner(StrEnum):
    TOP_LEFT = "top-left"
    TOP_RIGHT = "top-right"
    BOTTOM_LEFT = "bottom-left"
    BOTTOM_RIGHT = "bottom-right"


class Logo(Document):
    """A picture in a corner of every frame. `size`: its height, as a share of the film's shorter side."""

    picture: Frame = Field(description=FRAME)
    corner: Corner = Field(default=Corner.TOP_LEFT, description=f"one of {', '.join(Corner)}")
    size: Annotated[
        float,
        Field(strict=True, ge=0.02, le=0.5, allow_inf_nan=False, description="a number from 0.02 to 0.5"),
    ] = 0.1


FONT_FILE = (
    'an object with a file_id of an upload, a font_url "data:font/ttf;base64,…", or, as in a brand that was '
    "read, a sha256 and a kind"
)


class OwnFont(SentFile):
    """A font of the user's own. Where it is sent, it may be a `file_id` or a `font_url` instead."""

    url = "font_url"

    kind: Annotated[Literal["ttf", "otf", "ttc"], Field(description=f"one of {', '.join(FONT_TYPES)}")]

    @property
    def media_type(self) -> str:
        return FONT_TYPES[self.kind]

    def key(self, tenant: str) -> str:
        """Return its key in the input bucket."""
        return keys.upload(tenant, self.sha256, self.kind)


class Brand(Document):
    """A film's brand. `font`, by name, or `font_file`: of title cards and lower thirds, and of captions that
    name none. `intro` and `outro` are scenes that show the user's own clip or picture, or a title card,
    before and after all others."""

    colours: Colours = Colours()
    font: Annotated[
        str | None,
        Field(min_length=1, max_length=100, pattern=NAME, description="a font's name, for example Noto Sans"),
    ] = None
    font_file: OwnFont | None = Field(default=None, description=FONT_FILE)
    logo: Logo | None = None
    intro: Scene | None = None
    outro: Scene | None = None

    @property
    def seconds(self) -> int:
        """How much longer the film gets by its intro and outro, rounded up; an estimate if narration gives
        their length."""
        ends = [one for one in (self.intro, self.outro) if one is not None]
        return math.ceil(sum(one.seconds or CARD_SECONDS for one in ends))

    @property
    def scenes(self) -> int:
        """How many scenes it adds."""
        return (self.intro is not None) + (self.outro is not None)

    def lettered(self, tenant: str) -> Lettered:
        """Return its font."""
        file = self.font_file
        kept = None if file is None else FontFile(key=file.key(tenant), sha256=file.sha256)
        return Lettered(font=self.font, font_file=kept)

    @property
    def files(self) -> Iterator[Frame | OwnClip | OwnFont | Recording]:
        """Yield all its files."""
        if self.logo is not None:
            yield self.logo.picture
        if self.font_file is not None:
            yield self.font_file
        yield from files_of([one for one in (self.intro, self.outro) if one is not None])

    def around(self, storyboard: Storyboard) -> Storyboard:
        """Return the storyboard between the intro and the outro."""
        before, after = ([] if one is None else [one] for one in (self.intro, self.outro))
        return storyboard.model_copy(update={"scenes": [*before, *storyboard.scenes, *after]})


def parse_brand(value: Any) -> Brand:
    """Parse a brand, whose files must be those that are stored (`with_brand_files`).

    Raises InvalidRequest that names the path of the first invalid field, and what is allowed.
    """
    document = dict(value) if isinstance(value, dict) else value
    for name in _ENDS:
        if isinstance(document, dict) and isinstance(given := document.get(name), dict):
            document[name] = with_own({"scenes": [given]})["scenes"][0]
    try:
        brand = Brand.model_validate(document)
    except ValidationError as error:
        first = wrong_fields(Brand, error, "")[0]
        param = f"brand.{first.path}" if first.path else "brand"
        message = f"brand.{first.message}" if first.path else f"brand {first.message.strip()}"
        raise InvalidRequest(message, param=param) from None
    if brand.font is not None and brand.font_file is not None:
        raise InvalidRequest("brand.font must be omitted when font_file is set.", param="brand.font")
    for name in _ENDS:
        _check_end(name, getattr(brand, name))
    return brand


def _check_end(name: str, scene: Scene | None) -> None:
    if scene is None:
        return
    path = f"brand.{name}"
    if own_of(scene) is None:
        raise InvalidRequest(f"{path} must have one of {', '.join(OWN)}: no engine renders it.", param=path)
    try:
        parse_storyboard({"title": name, "scenes": [scene.model_dump(exclude_none=True)]})
    except InvalidRequest as error:
        said, param = (str(text).replace("scenes[0]", path) for text in (error.message, error.param))
        raise InvalidRequest(said, param=param) from None


def with_brand_files(document: Any, change: Callable[[Any, str], Any]) -> Any:
    """Return a brand's document, of any form, with each file in it as `change` returns it for it and its
    path."""
    if not isinstance(document, dict):
        return document
    changed = dict(document)
    logo = document.get("logo")
    if isinstance(logo, dict) and logo.get("picture") is not None:
        changed["logo"] = {**logo, "picture": change(logo["picture"], "brand.logo.picture")}
    if document.get("font_file") is not None:
        changed["font_file"] = change(document["font_file"], BRAND_FONT)
    for name in _ENDS:
        if document.get(name) is not None:
            replaced = partial(_replaced, change, f"brand.{name}")
            [changed[name]] = with_scene_files({"scenes": [document[name]]}, replaced)["scenes"]
    return changed


def _replaced(change: Callable[[Any, str], Any], scene: str, file: Any, path: str) -> Any:
    return change(file, path.replace("scenes[0]", scene))
