"""The sentences from which the rule-based director builds a narration, and the views that go with them.

They fit any topic, singular or plural: {x} appears only after "about" or after a colon, and no pronoun
replaces it. A line of at most four words is for the shortest scenes, where no other line fits.
"""

from typing import NamedTuple

from reelworks.cloud.director.topics import Kind


class Lines(NamedTuple):
    """The lines for one position in the film. `named`: lines with {x}."""

    named: tuple[str, ...]
    plain: tuple[str, ...]


class View(NamedTuple):
    """A step in the middle of a film: the narration (`brief`: in a short scene), what the picture shows, and
    how the camera moves."""

    said: str
    brief: str
    picture: str
    camera: str


OPENING = {
    Kind.THEME: Lines(
        (
            "This is a short film about {x}.",
            "There is a lot to see in a film about {x}.",
            "Let us take a few moments to think about {x}.",
            "Here is a short film about {x}, and about all that can be seen by looking twice.",
        ),
        ("Let us begin.", "Every film begins with a first look. Here is ours."),
    ),
    Kind.MOMENT: Lines(
        (
            "Picture this: {x}.",
            "Our story begins with one moment: {x}.",
            "Here is a moment worth a closer look: {x}.",
        ),
        ("Here it begins.", "Every story starts somewhere. This one starts here."),
    ),
    Kind.QUESTION: Lines(
        (
            "Here is a question: {x}?",
            "Some questions stay with us for a long time: {x}?",
            "Ask it out loud, and listen to how it sounds: {x}?",
        ),
        ("Here is a question.", "Every answer begins with a good question. Here is ours."),
    ),
}

MIDDLE = {
    Kind.THEME: (
        "There is always more to find out about {x}.",
        "The most surprising things about {x} are often the smallest ones.",
        "To say something true about {x}, you have to look twice.",
        "There is more than one way to tell a story about {x}.",
        "It helps to forget, for a moment, all that you have heard about {x}.",
        "Whatever we say about {x}, there is something left to see.",
    ),
    Kind.MOMENT: (
        "Keep this picture in mind: {x}.",
        "Think back to how it began: {x}.",
        "It all leads back to one moment: {x}.",
    ),
    Kind.QUESTION: (
        "And the question is still open: {x}?",
        "Ask it again, more slowly this time: {x}?",
        "Nobody should be ashamed to ask: {x}?",
    ),
}
VIEWS = (
    View(
        "Look closely, because the small things matter here.",
        "Look closely, because small things matter.",
        "A close view brings out the smallest details.",
        "The camera moves in slowly until one detail fills the frame.",
    ),
    View(
        "Every part has its place, and each one depends on the others.",
        "Every part has its place.",
        "A view from above shows how everything lies side by side.",
        "The camera looks down from above and turns slowly.",
    ),
    View(
        "What seems simple from far away has more than one layer.",
        "There is more than one layer here.",
        "A medium view shows one layer behind another.",
        "The camera glides sideways, and near and far slide past each other.",
    ),
    View(
        "Time plays its part. Some things take a moment, and others take years.",
        "Time plays its part here.",
        "A steady view holds long shadows and slowly changing light.",
        "The camera stands still while light and shadow move across the frame.",
    ),
    View(
        "There is a rhythm here, if you take the time to notice it.",
        "There is a rhythm here.",
        "A side view shows movement caught in the middle of a step.",
        "The camera follows alongside at an even pace.",
    ),
    View(
        "Once, somebody saw all this for the first time and could not look away.",
        "Imagine seeing this for the first time.",
        "A view at eye level looks straight ahead, as if for the first time.",
        "The camera walks forward at eye level, steady and curious.",
    ),
    View(
        "Some of this can be explained, and some of it has to be seen.",
        "Some of this has to be seen.",
        "A clear, balanced view places everything in plain sight.",
        "The camera arcs a few degrees around the middle of the scene.",
    ),
    View(
        "Nothing here stands alone. One thing always leads to the next.",
        "One thing leads to the next.",
        "A long view leads the eye from the foreground into the distance.",
        "The camera travels forward along the line that leads into the distance.",
    ),
    View(
        "Not everything happens where we are looking.",
        "Not everything is in plain sight.",
        "An off-centre view leaves half of the frame open and quiet.",
        "The camera pans slowly to one side and finds what was out of sight.",
    ),
    View(
        "Step back for a moment, and the whole picture comes into view.",
        "Step back, and see the whole picture.",
        "A wide view from a distance takes in everything at once.",
        "The camera draws back slowly until the whole scene fits into the frame.",
    ),
    View(
        "Change rarely comes all at once. It comes in small steps.",
        "Change comes in small steps.",
        "A low view looks up from close to the ground.",
        "The camera rises slowly from close to the ground.",
    ),
    View(
        "There are quiet moments, too, and they say as much as the loud ones.",
        "Even the quiet moments say something.",
        "A still, sparse view leaves plenty of empty space.",
        "The camera hardly moves, and only the smallest motion remains.",
    ),
)
MIDDLE_SHORT = (
    "Look a little closer.",
    "There is more here.",
    "Watch and wait.",
    "One thing follows another.",
)

TURN = Lines(
    ("But there is another side to every story about {x}.",),
    (
        "Then something changes.",
        "But that is only half of the story.",
        "But then something changes, and nothing looks quite the same as before.",
        "And then comes the moment in which everything begins to make sense.",
        "And yet there is another side, one that is easy to miss.",
    ),
)
TURN_VIEW = View(
    "",
    "",
    "A view from the opposite side shows everything in another light.",
    "The camera turns around in one smooth move and looks from the other side.",
)

CLOSE = {
    Kind.THEME: Lines(
        (
            "The next time you think about {x}, remember what you have seen here.",
            "This is where a short film about {x} ends, and where your own view begins.",
        ),
        ("And so it ends.", "The film ends here, but the looking goes on."),
    ),
    Kind.MOMENT: Lines(
        (
            "And this is what remains at the end: {x}.",
            "So the story comes back to where it began: {x}.",
        ),
        ("And so it ends.", "The story ends here, but the picture stays with us."),
    ),
    Kind.QUESTION: Lines(
        (
            "So ask yourself once more: {x}?",
            "Perhaps the best answer is to keep asking: {x}?",
        ),
        ("Keep on asking.", "The film ends here, but the question goes on."),
    ),
}

OPENING_PICTURE = "A wide view shows the whole scene."
CLOSE_VIEW = View(
    "",
    "",
    "A wide, calm view takes in the whole scene.",
    "The camera draws back slowly and comes to rest.",
)

DRAWN_NEGATIVE = "photograph, blurry, distorted, low quality, watermark, text, logo"
PHOTO_NEGATIVE = "blurry, distorted, deformed, low quality, watermark, text, logo"
MOVING_NEGATIVE = "flicker, jitter, sudden cuts"
