"""Files sent ahead of requests: what was said of each, and the file itself once it has arrived."""

from typing import Any

from lambdas.adapters.objects import Objects
from lambdas.domain import keys
from lambdas.domain.errors import ArtifactMissing
from lambdas.domain.uploads import FORM_SECONDS, Upload


class Uploads:
    def __init__(self, inputs: Objects) -> None:
        self._inputs = inputs

    def open(self, tenant: str, upload: Upload) -> Upload:
        """Store what is said of a file, unless that was done. Return what is stored."""
        key = keys.incoming_ticket(tenant, upload.id)
        while not self._inputs.put_new(key, upload.model_dump_json().encode(), "application/json"):
            if found := self.find(tenant, upload.id):
                return found
        return upload

    def form(self, tenant: str, upload: Upload) -> dict[str, Any]:
        """Return the form that sends the file: {url, fields}."""
        least, most = (upload.bytes, upload.bytes) if upload.bytes else (1, upload.kind.most)
        key = keys.incoming(tenant, upload.id)
        return self._inputs.form(key, upload.mime_type, least=least, most=most, seconds=FORM_SECONDS)

    def find(self, tenant: str, id_: str) -> Upload | None:
        try:
            return Upload.model_validate_json(self._inputs.get(keys.incoming_ticket(tenant, id_)))
        except ArtifactMissing:
            return None

    def size(self, tenant: str, id_: str) -> int | None:
        """Return the bytes that have arrived; None if nothing has."""
        return self._inputs.size(keys.incoming(tenant, id_))
