"""Set the certificate and key that sign a deployment's films."""

from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
)

from lambdas.adapters.signing_key import Secret, SigningKey
from lambdas.domain.names import signing_secret
from reelworks.cloud.home import write_private
from reelworks.deployment import Deployment, DeploymentError


class CredentialsError(Exception):
    """The certificate or key can't sign films; the message says why."""


def set_signing_key(
    deployment: Deployment, certificates: str, private_key: str | None, kms_key: str | None
) -> str:
    """Store the certificates and the key, and return the name in the signing certificate.

    `certificates`: the chain in PEM, the signing one first. Raises CredentialsError, DeploymentError.
    """
    try:
        certificate = x509.load_pem_x509_certificates(certificates.encode())[0]
    except ValueError as error:
        raise CredentialsError(f"CERTIFICATES must be in PEM: {error}") from error
    if certificate.not_valid_after_utc <= datetime.now(UTC):
        raise CredentialsError(f"The certificate expired on {certificate.not_valid_after_utc:%Y-%m-%d}.")
    try:
        public = _public(deployment, private_key, kms_key)
    except (ClientError, BotoCoreError) as error:
        raise DeploymentError(f"KMS refused the key: {error}") from error
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
        raise CredentialsError("The key must be an elliptic curve key on P-256.")
    if _der(public) != _der(certificate.public_key()):
        raise CredentialsError("The key is not that of the first certificate.")
    secret = Secret(certificates=certificates, private_key=private_key, kms_key=kms_key)
    _store(deployment, secret.model_dump_json(exclude_none=True))
    if deployment.home is not None:
        write_private(deployment.home.signing_key, secret.model_dump_json())
    return SigningKey(secret, None).name


def remove_signing_key(deployment: Deployment) -> bool:
    """Delete the secret, and return whether there was one. Raises DeploymentError."""
    if deployment.home is not None:
        deployment.home.signing_key.unlink(missing_ok=True)
    secrets = deployment.client("secretsmanager")
    try:
        secrets.delete_secret(SecretId=_name(deployment), ForceDeleteWithoutRecovery=True)
    except secrets.exceptions.ResourceNotFoundException:
        return False
    except (ClientError, BotoCoreError) as error:
        raise DeploymentError(f"Secrets Manager refused the call: {error}") from error
    return True


def _public(deployment: Deployment, private_key: str | None, kms_key: str | None) -> Any:
    if private_key is None:
        return load_der_public_key(deployment.client("kms").get_public_key(KeyId=kms_key)["PublicKey"])
    try:
        return load_pem_private_key(private_key.encode(), None).public_key()
    except (ValueError, TypeError) as error:
        raise CredentialsError(f"--key must be a private key in PEM without a password: {error}") from error


def _der(key: Any) -> bytes:
    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _store(deployment: Deployment, text: str) -> None:
    secrets, name = deployment.client("secretsmanager"), _name(deployment)
    try:
        try:
            secrets.create_secret(Name=name, SecretString=text)
        except secrets.exceptions.ResourceExistsException:
            secrets.put_secret_value(SecretId=name, SecretString=text)
    except (ClientError, BotoCoreError) as error:
        raise DeploymentError(f"Secrets Manager refused the call: {error}") from error


def _name(deployment: Deployment) -> str:
    return signing_secret(deployment.outputs["EndpointPrefix"])
