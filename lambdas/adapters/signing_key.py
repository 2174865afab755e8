"""The key that signs films, from a secret: its certificates, and the private key or KMS's name of it."""

import hashlib
from typing import Any

from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from cryptography.x509.oid import NameOID
from pydantic import model_validator

from lambdas.adapters.clients import error_code, translated
from lambdas.domain.documents import Document


class Secret(Document):
    """The secret's text, as JSON. `certificates`: PEM, the signing one first; either of the others."""

    certificates: str
    private_key: str | None = None  # PEM, an elliptic curve key on P-256
    kms_key: str | None = None  # ARN of an ECC_NIST_P256 key for signing

    @model_validator(mode="after")
    def _one_key(self) -> "Secret":
        if (self.private_key is None) == (self.kms_key is None):
            raise ValueError("private_key or kms_key is required, and not both")
        return self


class SigningKey:
    def __init__(self, secret: Secret, kms: Any) -> None:
        self._secret = secret
        self._kms = kms

    @property
    def certificates(self) -> str:
        return self._secret.certificates

    @property
    def name(self) -> str:
        """The name in the signing certificate."""
        subject = load_pem_x509_certificate(self.certificates.encode()).subject
        names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(names[0].value) if names else subject.rfc4514_string()

    def sign(self, data: bytes) -> bytes:
        """Return the signature of some bytes: ECDSA with SHA-256, in DER. Raises ServiceUnavailable."""
        if self._secret.kms_key is not None:
            with translated("sign with KMS"):
                answer = self._kms.sign(
                    KeyId=self._secret.kms_key,
                    Message=hashlib.sha256(data).digest(),
                    MessageType="DIGEST",  # KMS signs at most 4,096 bytes as they are
                    SigningAlgorithm="ECDSA_SHA_256",
                )
            return bytes(answer["Signature"])
        key = load_pem_private_key(str(self._secret.private_key).encode(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("private_key must be an elliptic curve key on P-256")
        return key.sign(data, ec.ECDSA(SHA256()))


def find_signing_key(secrets_manager: Any, kms: Any, name: str) -> SigningKey | None:
    """Return the key under the secret's name; None if there is no such secret. Raises ServiceUnavailable."""
    with translated(f"get secret {name}"):
        try:
            text = secrets_manager.get_secret_value(SecretId=name)["SecretString"]
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise
            return None
    return SigningKey(Secret.model_validate_json(text), kms)
