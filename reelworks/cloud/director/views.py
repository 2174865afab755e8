"""The views from which the rule-based director films a topic that it knows nothing about."""

from typing import NamedTuple


class View(NamedTuple):
    """What the picture shows, and how the camera moves."""

    picture: str
    camera: str


OPENING_PICTURE = "A wide view shows the whole scene."
VIEWS = (
    View(
        "A close view brings out the smallest details.",
        "The camera moves in slowly until one detail fills the frame.",
    ),
    View(
        "A view from above shows how everything lies side by side.",
        "The camera looks down from above and turns slowly.",
    ),
    View(
        "A medium view shows one layer behind another.",
        "The camera glides sideways, and near and far slide past each other.",
    ),
    View(
        "A steady view holds long shadows and slowly changing light.",
        "The camera stands still while light and shadow move across the frame.",
    ),
    View(
        "A side view shows movement caught in the middle of a step.",
        "The camera follows alongside at an even pace.",
    ),
    View(
        "A view at eye level looks straight ahead, as if for the first time.",
        "The camera walks forward at eye level, steady and curious.",
    ),
    View(
        "A clear, balanced view places everything in plain sight.",
        "The camera arcs a few degrees around the middle of the scene.",
    ),
    View(
        "A long view leads the eye from the foreground into the distance.",
        "The camera travels forward along the line that leads into the distance.",
    ),
    View(
        "An off-centre view leaves half of the frame open and quiet.",
        "The camera pans slowly to one side and finds what was out of sight.",
    ),
    View(
        "A wide view from a distance takes in everything at once.",
        "The camera draws back slowly until the whole scene fits into the frame.",
    ),
    View(
        "A low view looks up from close to the ground.",
        "The camera rises slowly from close to the ground.",
    ),
    View(
        "A still, sparse view leaves plenty of empty space.",
        "The camera hardly moves, and only the smallest motion remains.",
    ),
)
TURN_VIEW = View(
    "A view from the opposite side shows everything in another light.",
    "The camera turns around in one smooth move and looks from the other side.",
)
CLOSE_VIEW = View(
    "A wide, calm view takes in the whole scene.",
    "The camera draws back slowly and comes to rest.",
)

DRAWN_NEGATIVE = "photograph, blurry, distorted, low quality, watermark, text, logo"
PHOTO_NEGATIVE = "blurry, distorted, deformed, low quality, watermark, text, logo"
MOVING_NEGATIVE = "flicker, jitter, sudden cuts"
