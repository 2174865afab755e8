"""The colours of what is lettered into a film."""

from typing import Annotated

from pydantic import Field

from lambdas.domain.documents import Document

_Colour = Annotated[
    str, Field(pattern="^#[0-9a-fA-F]{6}$", description="a colour as #rrggbb, for example #1a2b3c")
]


class Colours(Document):
    """The colours of title cards and lower thirds."""

    background: _Colour = "#12141d"
    text: _Colour = "#ffffff"
    accent: _Colour = "#ffc857"
