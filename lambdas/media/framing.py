"""Frame a picture of another shape as engine servers do (containers/diffusion/framing.py), for drafts that
show what an engine's picture leaves in a film."""

from dataclasses import dataclass
from fractions import Fraction

from PIL import Image, ImageFilter

from lambdas.domain.film_format import Framing, Size

# Of the blurred copy that fills bars, in pixels: its shorter side, and its blur.
BACKGROUND_SIDE = 64
BACKGROUND_RADIUS = 4


@dataclass(frozen=True)
class Frame:
    """The film's frame of size `film`, filled by a picture of the shape of `rendered`."""

    film: Size
    rendered: Size
    fit: Framing

    @property
    def canvas(self) -> Size:
        """The whole picture's size in the film's pixels."""
        wide = Fraction(*self.rendered) / Fraction(*self.film)
        if self.fit is Framing.COVER:
            return _even(self.film[0] * max(Fraction(1), wide)), _even(
                self.film[1] * max(Fraction(1), 1 / wide)
            )
        return _even(self.film[0] * min(Fraction(1), wide)), _even(self.film[1] * min(Fraction(1), 1 / wide))

    def show(self, picture: Image.Image) -> Image.Image:
        """Return the film's frame from a picture of the canvas's size."""
        left, top = (self.film[0] - picture.width) // 2, (self.film[1] - picture.height) // 2
        frame = Image.new("RGB", self.film) if self.fit is not Framing.BLUR else self._background(picture)
        frame.paste(picture, (left, top))
        return frame

    def _background(self, picture: Image.Image) -> Image.Image:
        reduction = max(1.0, min(self.film) / BACKGROUND_SIDE)
        small = (max(1, round(self.film[0] / reduction)), max(1, round(self.film[1] / reduction)))
        scale = min(picture.width / self.film[0], picture.height / self.film[1])
        left, top = (
            (picture.width - self.film[0] * scale) / 2,
            (picture.height - self.film[1] * scale) / 2,
        )
        box = (max(0.0, left), max(0.0, top), picture.width - max(0.0, left), picture.height - max(0.0, top))
        copy = picture.resize(small, Image.Resampling.LANCZOS, box=box)
        blurred = copy.filter(ImageFilter.GaussianBlur(BACKGROUND_RADIUS))
        return blurred.resize(self.film, Image.Resampling.BICUBIC)


def _even(side: Fraction) -> int:
    return max(2, 2 * round(side / 2))
