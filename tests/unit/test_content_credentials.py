"""Content credentials: what they say, and that a changed film is noticed."""

import json
import random
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from typer.testing import CliRunner

from lambdas.adapters.signing_key import Secret, SigningKey
from lambdas.domain.content_credentials import DEVELOPMENT, Ingredient, claim, ingredients
from lambdas.domain.errors import NotSigned
from lambdas.domain.video import Video
from lambdas.domain.video_parts import PartProgress
from lambdas.media.content_credentials import Untrustworthy, sign, supports, verify
from reelworks.cli import app
from reelworks.cloud.lifecycle.development_certificate import NAME, development_secret, is_current
from tests.factories import a_plan, a_request, a_video
from tests.media.clips import clip

SECRET = development_secret()
KEY = SigningKey(SECRET, None)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("credentials") / "film.mp4"
    path.write_bytes(clip(8))
    return path


def signed(film: Path, target: Path, video: Video, *given: Any, key: SigningKey = KEY) -> Path:
    plan = a_plan(video, ["A bee"] * 9)
    sign(
        film,
        target,
        claim(video, plan),
        given,
        certificates=key.certificates,
        signature=key.sign,
    )
    return target


def rendered(**fields: Any) -> Video:
    return a_video(request=a_request(engine="cogvideox-2b", width=720, height=480, fps=8, **fields))


def test_a_film_says_what_made_it_and_when(film: Path, tmp_path: Path) -> None:
    voice = PartProgress(scene=0, by="Joe", started_ms=1, finished_ms=2)
    found = verify(signed(film, tmp_path / "film.mp4", rendered().model_copy(update={"narrations": [voice]})))
    assert (found.made_by.engine, found.made_by.voices) == ("cogvideox-2b", ["Joe"])
    assert found.made_by.video == rendered().id
    assert found.source_type.endswith("/trainedAlgorithmicMedia")
    assert found.when == datetime.fromtimestamp(rendered().updated_ms / 1000, UTC)
    assert (found.signed_by, found.organization, found.development) == (NAME, DEVELOPMENT, True)
    assert found.trusted is None


def test_a_draft_is_drawn_by_rules(film: Path, tmp_path: Path) -> None:
    found = verify(signed(film, tmp_path / "film.mp4", a_video()))
    assert found.source_type.endswith("/algorithmicMedia")


def test_any_changed_byte_is_noticed(film: Path, tmp_path: Path) -> None:
    path = signed(film, tmp_path / "film.mp4", rendered())
    content = path.read_bytes()
    places = random.Random(1).sample(range(len(content)), 60)
    for place in [*range(40), *places, *range(len(content) - 60, len(content))]:
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        with pytest.raises(Untrustworthy):
            verify(path)
    for cut in (content[:-1], content[: len(content) // 2], content + b"\0", b""):
        path.write_bytes(cut)
        with pytest.raises(Untrustworthy):
            verify(path)


def test_a_checksum_alone_is_no_signature(film: Path, tmp_path: Path) -> None:
    """Whoever changes the pictures can write a new checksum, but no new signature."""
    import hashlib

    path = signed(film, tmp_path / "film.mp4", rendered())
    content = bytearray(path.read_bytes())
    content[-2_000] ^= 1
    content[-32:] = hashlib.sha256(content[:-56]).digest()
    path.write_bytes(content)
    with pytest.raises(Untrustworthy, match="changed since it was signed"):
        verify(path)


def test_an_unsigned_film_has_no_credentials(film: Path) -> None:
    with pytest.raises(Untrustworthy, match="not signed by Reelworks"):
        verify(film)


def test_what_was_given_is_an_ingredient(film: Path, tmp_path: Path) -> None:
    image = {"key": "uploads/acme/1.png", "sha256": "1" * 64, "width": 8, "height": 8}
    music = {"key": "uploads/acme/2.ogg", "sha256": "2" * 64, "seconds": 9}
    video = a_video(request=a_request(image=image, music=music))
    picture, sound = ingredients(video, a_plan(video, ["A bee"] * 9))
    assert (picture.title, sound.title) == ("input_reference", "music")
    assert (supports(picture.media_type), supports(sound.media_type)) == (True, False)
    found = verify(signed(film, tmp_path / "film.mp4", video, (picture, BytesIO(_png())), (sound, None)))
    assert sorted(found.ingredients) == ["input_reference", "music"]
    assert found.source_type.endswith("/compositeSynthetic")


def test_a_film_s_source_keeps_its_own_credentials(film: Path, tmp_path: Path) -> None:
    source = signed(film, tmp_path / "source.mp4", rendered())
    parent = Ingredient(
        title="source.mp4", relationship="parentOf", media_type="video/mp4", bucket="output", key="k"
    )
    with source.open("rb") as stream:
        path = signed(film, tmp_path / "film.mp4", a_video(id="video_" + "1" * 32), (parent, stream))
    found = verify(path)
    assert (found.ingredients, found.made_by.video) == (["source.mp4"], "video_" + "1" * 32)


def test_trust_is_a_matter_of_the_authority(film: Path, tmp_path: Path) -> None:
    path = signed(film, tmp_path / "film.mp4", rendered())
    authority = SECRET.certificates.split("-----END CERTIFICATE-----\n")[1] + "-----END CERTIFICATE-----\n"
    other = development_secret().certificates.split("-----END CERTIFICATE-----\n")[1]
    assert verify(path, authority).trusted is True
    assert verify(path, other + "-----END CERTIFICATE-----\n").trusted is False


def test_an_expired_certificate_signs_nothing(film: Path, tmp_path: Path) -> None:
    old = development_secret(datetime.now(UTC) - timedelta(days=400))
    with pytest.raises(NotSigned, match="not valid at time of signing"):
        signed(film, tmp_path / "film.mp4", rendered(), key=SigningKey(old, None))


def test_a_development_certificate_is_renewed_in_time_and_another_is_left_alone() -> None:
    made = datetime.now(UTC)
    assert is_current(SECRET)
    assert not is_current(SECRET, made + timedelta(days=340))
    theirs = SECRET.model_copy(update={"certificates": _of_another_company()})
    assert is_current(theirs, made + timedelta(days=340))


@pytest.mark.parametrize("keys", [{}, {"private_key": "a", "kms_key": "b"}])
def test_a_secret_has_one_key(keys: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="private_key or kms_key is required"):
        Secret(certificates="", **keys)


def _png() -> bytes:
    from PIL import Image

    output = BytesIO()
    Image.new("RGB", (8, 8)).save(output, "PNG")
    return output.getvalue()


def _of_another_company() -> str:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=300))
        .sign(key, SHA256())
    )
    return certificate.public_bytes(Encoding.PEM).decode()


# --- reel verify


def test_reel_verify_says_what_a_film_is_and_refuses_a_changed_one(film: Path, tmp_path: Path) -> None:
    path = signed(film, tmp_path / "film.mp4", rendered())
    shown = CliRunner().invoke(app, ["verify", str(path)])
    assert shown.exit_code == 0
    assert "film.mp4 is unchanged since it was signed." in shown.output
    assert "cogvideox-2b, revision 1" in shown.output
    assert "proves nothing about who made the film" in shown.output
    told = CliRunner().invoke(app, ["verify", str(path), "--json"])
    assert json.loads(told.output)["made_by"]["engine"] == "cogvideox-2b"
    other = tmp_path / "other.pem"
    other.write_text(development_secret().certificates)
    distrusted = CliRunner().invoke(app, ["verify", str(path), "--trust", str(other)])
    assert distrusted.exit_code == 1
    path.write_bytes(path.read_bytes()[:-1])
    assert CliRunner().invoke(app, ["verify", str(path)]).exit_code == 1
