"""Places, each built from a few planes, from the sky to the foreground, like a paper theatre."""

from collections.abc import Callable
from dataclasses import dataclass

from lambdas.animatic.places.beyond import backdrop, space
from lambdas.animatic.places.city import city
from lambdas.animatic.places.land import desert, fire, flowers, forest, hills, mountains, snow
from lambdas.animatic.places.room import room
from lambdas.animatic.places.stage import Scenery, Stage
from lambdas.animatic.places.water import beach, ocean, underwater


@dataclass(frozen=True)
class Place:
    """A place. Without a light in the text, `palettes` apply; without a subject, `guest` passes by."""

    build: Callable[[Stage], Scenery]
    palettes: tuple[str, ...]
    guest: str | None = None
    weather: str | None = None


PLACES: dict[str | None, Place] = {
    "hills": Place(hills, ("day", "spring", "sunset"), guest="bird"),
    "mountains": Place(mountains, ("dawn", "sunset", "day", "mist"), guest="bird"),
    "snow": Place(snow, ("snow",), weather="snow"),
    "forest": Place(forest, ("forest", "autumn"), guest="butterfly", weather="dust"),
    "flowers": Place(flowers, ("spring",), guest="butterfly", weather="dust"),
    "ocean": Place(ocean, ("ocean", "sunset", "dawn"), guest="sailboat"),
    "beach": Place(beach, ("ocean", "sunset"), guest="bird"),
    "underwater": Place(underwater, ("underwater",), guest="fish", weather="bubbles"),
    "desert": Place(desert, ("desert", "sunset"), guest="bird"),
    "space": Place(space, ("space",), guest="rocket"),
    "fire": Place(fire, ("fire",), guest="campfire", weather="sparks"),
    "room": Place(room, ("warm",), guest="hot-beverage", weather="dust"),
    "city": Place(city, ("city", "sunset", "neon"), guest="person"),
    None: Place(
        backdrop, ("violet", "teal", "coral", "sunset", "ocean", "dawn", "warm", "forest"), weather="dust"
    ),
}
