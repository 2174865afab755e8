"""Setting the key that signs films, and signing with it, on a local AWS."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from lambdas.adapters.clients import client
from lambdas.adapters.signing_key import find_signing_key
from reelworks.cloud.home import Home
from reelworks.cloud.lifecycle.development_certificate import (
    NAME,
    development_certificates,
    development_secret,
)
from reelworks.deployment import Deployment as Stack
from reelworks.deployment import DeploymentError
from reelworks.signing import CredentialsError, remove_signing_key, set_signing_key
from tests.cloud.deployment import Deployment

SECRET = "acme/content-credentials"


@pytest.fixture
def stack(aws: Deployment, tmp_path: Path) -> Iterator[Stack]:
    (tmp_path / "home").mkdir()
    found = Stack(client, {"EndpointPrefix": "acme"}, Home(tmp_path / "home"))
    yield found
    remove_signing_key(found)


def test_a_key_is_set_replaced_and_removed(stack: Stack) -> None:
    secrets, kms = client("secretsmanager"), client("kms")
    assert find_signing_key(secrets, kms, SECRET) is None
    assert remove_signing_key(stack) is False
    for secret in (development_secret(), development_secret()):
        assert set_signing_key(stack, secret.certificates, secret.private_key, None) == NAME
        found = find_signing_key(secrets, kms, SECRET)
        assert found is not None
        assert found.certificates == secret.certificates
        assert stack.home is not None
        assert stack.home.signing_key.stat().st_mode & 0o777 == 0o600
    assert remove_signing_key(stack) is True
    assert find_signing_key(secrets, kms, SECRET) is None
    assert not stack.home.signing_key.exists()


def test_a_key_in_kms_signs(stack: Stack) -> None:
    kms = client("kms")
    made = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    public = load_der_public_key(kms.get_public_key(KeyId=made["KeyId"])["PublicKey"])
    assert isinstance(public, ec.EllipticCurvePublicKey)
    certificates = development_certificates(public)
    assert set_signing_key(stack, certificates, None, made["Arn"]) == NAME
    found = find_signing_key(client("secretsmanager"), kms, SECRET)
    assert found is not None
    data = b"what is signed" * 1_000  # more than KMS takes as it is
    public.verify(found.sign(data), data, ec.ECDSA(SHA256()))
    with pytest.raises(CredentialsError, match="not that of the first certificate"):
        set_signing_key(stack, development_secret().certificates, None, made["Arn"])
    with pytest.raises(DeploymentError, match="KMS refused the key"):
        set_signing_key(stack, certificates, None, made["Arn"][:-4] + "0000")


def test_what_can_t_sign_is_refused(stack: Stack) -> None:
    ours, other = development_secret(), development_secret()
    old = development_secret(datetime.now(UTC) - timedelta(days=400))
    for certificates, key, says in (
        ("nonsense", ours.private_key, "must be in PEM"),
        (ours.certificates, "nonsense", "must be a private key in PEM"),
        (ours.certificates, other.private_key, "not that of the first certificate"),
        (old.certificates, old.private_key, "expired on"),
    ):
        with pytest.raises(CredentialsError, match=says):
            set_signing_key(stack, certificates, key, None)
    assert find_signing_key(client("secretsmanager"), client("kms"), SECRET) is None
