"""The base of the API's documents."""

from typing import Any

from pydantic import BaseModel, ConfigDict

# The default of what every answer has. Only an API older than the client leaves it out: then it is None.
ALWAYS: Any = None


class Document(BaseModel):
    """A document as the API sent it. It is read leniently, so that an API of another version is understood:
    fields and values that the client doesn't know are kept."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the document as it was sent."""
        return self.model_dump(mode="json", exclude_unset=True)
