"""The certificate that a PC makes for itself to sign films. Nobody trusts it; a viewer shows its name."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lambdas.adapters.signing_key import Secret
from lambdas.domain.content_credentials import DEVELOPMENT

NAME = "Development certificate of this PC, not to be trusted"
_VALID = timedelta(days=365)
_RENEWED_BEFORE = timedelta(days=30)


def development_secret(now: datetime | None = None) -> Secret:
    """Return a new private key and its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Secret(
        certificates=development_certificates(key.public_key(), now),
        private_key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    )


def development_certificates(key: ec.EllipticCurvePublicKey, now: datetime | None = None) -> str:
    """Return a key's certificate and that of its authority, in PEM. The authority's key is thrown away: there
    is one only because C2PA accepts no certificate that signed itself."""
    now = now or datetime.now(UTC)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _name("Development authority of this PC")
    certificates = (
        _certificate(_name(NAME), key, authority, authority_key, now),
        _certificate(authority, authority_key.public_key(), authority, authority_key, now),
    )
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates)


def is_current(secret: Secret, now: datetime | None = None) -> bool:
    """Return whether a secret can stay: one that the user has set, or a certificate of ours that is still
    valid for some time."""
    certificate = x509.load_pem_x509_certificate(secret.certificates.encode())
    ours = x509.NameAttribute(NameOID.ORGANIZATION_NAME, DEVELOPMENT) in certificate.subject
    return not ours or certificate.not_valid_after_utc - (now or datetime.now(UTC)) > _RENEWED_BEFORE


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, DEVELOPMENT),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> x509.Certificate:
    """Return a certificate with the properties that C2PA asks for (specification 2.2, 14.5)."""
    authority = subject == issuer
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks differ
        .not_valid_after(now + _VALID)
        .add_extension(
            x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True
        )
        .add_extension(
            x509.KeyUsage(
                digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **usage
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    if not authority:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
        )
    return builder.sign(issuer_key, SHA256())
