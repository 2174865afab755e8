"""The rule-based director's vocabulary: words that show what a prompt is about, and sentences for each.

Every sentence makes sense on its own after any prompt: it names no subject, uses no pronoun for one, and
contradicts nothing that its category implies. In each table the first category with a matching word applies;
for subjects, the one named first in the prompt.
"""

from typing import NamedTuple


class Category(NamedTuple):
    """`words`, separated by commas, match as whole words, in singular or plural, with hyphens as spaces."""

    words: str
    sentences: tuple[str, ...]


class Subject(NamedTuple):
    """A kind of subject: how to film it, and which of its movements are worth showing."""

    words: str
    camera: tuple[str, ...]
    detail: tuple[str, ...]


# --- the camera

_MACRO = (
    "The camera holds close in macro and drifts slowly sideways, with a shallow depth of field that melts "
    "everything behind into soft colour.",
    "Filmed with a 100 mm macro lens, the shot begins on a single sharp detail and eases back a little, "
    "focus rolling gently through the frame.",
    "An intimate macro shot pushes in steadily, without hurry, while the background dissolves into round, "
    "luminous bokeh.",
)
_PERSON = (
    "A medium shot at eye level on a 50 mm lens moves in slowly, holding sharp focus while the background "
    "stays gently soft.",
    "The camera moves alongside at an easy pace, framed from the waist up on a 35 mm lens with the "
    "slightest natural sway.",
    "The camera circles slowly at shoulder height, letting the surroundings slide past in smooth parallax.",
)
_ANIMAL = (
    "The camera stays low, level with the eyes, and follows in one smooth tracking move.",
    "A telephoto lens isolates the action against a soft background while a steady pan keeps pace with "
    "every movement.",
    "The shot begins at a respectful distance and moves closer by degrees, quiet and perfectly steady.",
)
_VEHICLE = (
    "A tracking shot glides alongside at matching speed, the foreground streaking past while the main form "
    "stays crisp.",
    "The camera starts low and rises in one smooth crane move, turning to follow the movement through the "
    "frame.",
    "A long lens compresses the distance and a steady pan keeps the movement centred from one side of the "
    "frame to the other.",
)
WIDE_CAMERA = (
    "A wide establishing shot on a 24 mm lens glides forward, slow and level, revealing the depth of the "
    "scene layer by layer.",
    "The camera drifts forward from above and gently descends, letting near and far shapes slide past one "
    "another in clear parallax.",
    "A slow, level pan crosses the view from left to right and comes to rest on its strongest shape.",
)
PLAIN_CAMERA = (
    "A medium-wide shot opens on a stable frame and pushes in slowly and smoothly, with natural parallax "
    "between foreground and background.",
    "The camera arcs a few degrees around the scene on a smooth gimbal, with a 35 mm lens that keeps the "
    "main action centred and in focus.",
    "The shot begins slightly wide and settles into a balanced medium frame, moving forward at an even, "
    "unhurried pace.",
)
# For a prompt that directs the camera itself: compatible with anything it asks for.
DIRECTED = Category(
    "camera, close up, closeup, wide shot, aerial, drone, panning, zoom, zooming, tracking shot, dolly, "
    "timelapse, time lapse, pov, first person, overhead, bird's eye, slow motion, macro, steadicam, "
    "handheld, fisheye",
    (
        "The framing stays clean and deliberate, and focus is held on the main action from the first frame "
        "to the last.",
        "The movement of the camera is fluid and exact, with a natural sense of depth between foreground "
        "and background.",
    ),
)

# --- subjects

SMALL_NATURE = Subject(
    "bee, bumblebee, honeybee, honey bee, butterfly, butterflie, insect, ant, spider, ladybug, ladybird, "
    "dragonfly, dragonflie, firefly, fireflie, beetle, caterpillar, snail, flower, blossom, petal, red rose, "
    "roses, tulip, daisy, daisie, sunflower, orchid, seed, leaf, dewdrop, mushroom, snowflake",
    _MACRO,
    (
        "The finest structures are sharply visible, and even the smallest movement has weight and intention.",
        "Tiny textures catch the light one after another, and motion is delicate, continuous and true to "
        "nature.",
    ),
)
SUBJECTS = (
    SMALL_NATURE,
    Subject(
        "coffee, espresso, tea, bread, cake, pizza, soup, noodle, ramen, sushi, burger, chocolate, "
        "strawberry, strawberrie, fruit, cheese, wine, cocktail, pancake, cookie, ice cream, pasta, honey",
        _MACRO,
        (
            "Surfaces glisten, textures look crisp and fresh, and the smallest drop or crumb catches the "
            "light.",
            "Liquids move with true viscosity, edges gleam, and every texture looks close enough to taste.",
        ),
    ),
    Subject(
        "wristwatch, pocket watch, clock, hourglass, ring, jewel, gear, key, coin, pen, typewriter, record "
        "player, vinyl, perfume, bottle, toy, candle, book, violin, piano, guitar",
        _MACRO,
        (
            "Edges, fine scratches and reflections are rendered precisely, and every movement is exact.",
            "Every material shows its own gleam and grain, with a soft bloom of reflected light.",
        ),
    ),
    Subject(
        "robot, android, cyborg, mech, drone",
        _PERSON,
        (
            "Metal, joints and small lights are finely detailed, and every motion is precise, weighty and "
            "smooth.",
            "Panels shift and servos settle in sequence, so that each gesture looks engineered and "
            "deliberate.",
        ),
    ),
    Subject(
        "man, men, woman, women, girl, boy, child, children, kid, baby, babie, person, people, dancer, "
        "ballerina, musician, chef, baker, farmer, fisherman, knight, samurai, warrior, king, queen, "
        "prince, princess, wizard, witch, astronaut, cowboy, detective, sailor, skater, surfer, runner, "
        "cyclist, couple, grandmother, grandfather, mother, father, bride, monk, artist, painter, "
        "scientist, pilot, soldier, pirate, hiker, crowd, family, familie, friend, player, potter, "
        "blacksmith, teacher, student, writer, gardener, old lady",
        _PERSON,
        (
            "Fabric moves naturally, gestures are unhurried and true to life, and small changes of "
            "expression carry the moment.",
            "Posture and balance shift convincingly, and fine textures of cloth and surface are clearly "
            "resolved.",
        ),
    ),
    Subject(
        "dog, puppy, puppie, cat, kitten, fox, wolf, wolve, bear, lion, tiger, leopard, horse, pony, "
        "rabbit, hare, deer, stag, squirrel, panda, monkey, gorilla, sheep, goat, cow, hedgehog, otter, "
        "mouse, mice, raccoon, koala, lynx, camel, llama, alpaca, hamster",
        _ANIMAL,
        (
            "Fur ripples in fine detail, and weight shifts convincingly through every movement.",
            "The play of muscle under the coat is clearly visible, and each movement flows into the next.",
        ),
    ),
    Subject(
        "bird, eagle, hawk, falcon, owl, hummingbird, swan, duck, goose, geese, penguin, parrot, crow, "
        "raven, heron, flamingo, seagull, sparrow, peacock, rooster, chicken, kingfisher",
        _ANIMAL,
        (
            "Feathers lift and settle in fine detail, and each movement is quick, light and natural.",
            "Every feather edge is crisp, and the rhythm of movement and pause feels entirely alive.",
        ),
    ),
    Subject(
        "fish, goldfish, whale, shark, dolphin, jellyfish, octopus, turtle, seahorse, seal, manta ray, "
        "orca, squid, koi",
        _ANIMAL,
        (
            "Every movement is long and fluid, and light slides over each surface with every turn.",
            "Motion passes through the water in slow, graceful curves, with weightless ease.",
        ),
    ),
    Subject(
        "elephant, rhino, rhinoceros, hippo, giraffe, dragon, dinosaur, crocodile, lizard, snake, frog, "
        "chameleon, gecko, tortoise, monster, creature",
        _ANIMAL,
        (
            "Folds, ridges and fine wear of the skin are clearly visible, and every movement shows real "
            "mass.",
            "Each shift of weight is slow, solid and convincing, down to the smallest fold of skin.",
        ),
    ),
    Subject(
        "boat, ship, sailboat, yacht, canoe, kayak, ferry, gondola, raft, galleon, steamer",
        _VEHICLE,
        (
            "The hull rises and settles with real weight, and the wake spreads behind in a clean, widening "
            "line.",
            "Water parts smoothly at the bow, and reflections stretch and close again alongside.",
        ),
    ),
    Subject(
        "car, truck, bus, train, tram, motorcycle, motorbike, bicycle, bike, plane, airplane, aeroplane, "
        "aircraft, helicopter, hot air balloon, airship, rocket, "
        "spaceship, spacecraft, starship, taxi, tractor, "
        "locomotive, submarine, jet",
        _VEHICLE,
        (
            "Moving reflections run over glass and metal, and the surroundings sweep past with a real sense "
            "of speed.",
            "Weight, vibration and momentum are all believable, and fine mechanical details stay sharp "
            "throughout.",
        ),
    ),
)
WIDE_DETAIL = (
    "Small, continuous movements keep the wide view alive, with fine detail from the foreground to the far "
    "distance.",
    "The whole view shifts and breathes at its own pace, with detail at every distance.",
)
PLAIN_DETAIL = (
    "Movement is continuous and physically believable, with clear weight and follow-through.",
    "Actions unfold at a natural pace, each one leading smoothly into the next.",
)
STILL = Subject(
    "asleep, sleep, sleeping, resting, nap, napping, dozing, meditating, motionless, statue",
    (
        "The camera pushes in very slowly on a steady frame, with a shallow depth of field that softens "
        "everything around.",
        "The frame is almost motionless, easing a little closer over the whole length of the shot.",
    ),
    (
        "Only the smallest movements break the stillness, each one slow and gentle.",
        "Almost nothing moves, and that stillness draws the eye to texture, shape and light.",
    ),
)

# --- places. The light depends on the keys.

UNDERWATER, SPACE, INDOORS, CITY, MEADOW = "underwater", "space", "indoors", "city", "meadow"
PLACES: dict[str, Category] = {
    UNDERWATER: Category(
        "underwater, under water, reef, coral, seabed, ocean floor, deep sea, beneath the sea, aquarium, "
        "kelp",
        (
            "Blue-green water opens into the distance, with fine particles floating through it and the "
            "surface shimmering far above.",
            "Depth shows in veils of blue, each layer softer and darker than the one before.",
        ),
    ),
    SPACE: Category(
        "outer space, in space, through space, galaxy, galaxie, planet, mars, nebula, orbit, asteroid, "
        "lunar, on the moon, milky way, cosmos, spaceship, spacecraft, starship, space station",
        (
            "Stars lie fine and steady in the blackness beyond, and the scale of the emptiness is felt at "
            "every edge of the frame.",
            "Distant stars and faint dust give depth to the dark, with immense distances suggested by scale "
            "alone.",
        ),
    ),
    INDOORS: Category(
        "indoors, room, bedroom, living room, kitchen, cafe, café, coffee shop, library, librarie, office, "
        "window, windowsill, workshop, studio, restaurant, bakery, bakerie, cathedral, church, museum, "
        "classroom, attic, basement, laboratory, hallway, bathtub, desk, fireplace, sofa, theatre, theater, "
        "stage, ballroom, shop, corridor, tavern",
        (
            "The interior is rich in small, believable details, with worn surfaces and objects that look "
            "used and cared for.",
            "Depth comes from layers of soft-focus objects, doorways and shadow, arranged as if by chance.",
        ),
    ),
    CITY: Category(
        "city, cities, street, alley, tokyo, new york, paris, london, venice, downtown, skyscraper, "
        "skyline, rooftop, market, neon, traffic, subway, station, town, village, plaza, crosswalk, café "
        "terrace",
        (
            "Walls, windows and signs line the frame in strong perspective, and the life of the place stays "
            "soft in the background.",
            "Layers of architecture lead the eye into the distance, with small everyday movements along the "
            "edges of the frame.",
        ),
    ),
    "ice": Category(
        "arctic, antarctic, antarctica, iceberg, tundra, glacier, frozen lake, polar, north pole",
        (
            "Ice and packed snow spread out in cold whites and blues, broken by wind-cut ridges.",
            "Pale, clean distances of ice lie under a huge sky, with hard blue shadow in every hollow.",
        ),
    ),
    "desert": Category(
        "desert, dune, sahara, canyon, savanna, savannah, wasteland",
        (
            "Bare ground stretches to a clean horizon, with wind-drawn lines leading the eye into the "
            "distance.",
            "Heat shimmers softly over the far ground, and every ridge is drawn by its own shadow.",
        ),
    ),
    "forest": Category(
        "forest, woods, jungle, rainforest, woodland, bamboo, redwood, pine",
        (
            "Trunks and branches recede into haze, with moss, undergrowth and fallen leaves giving the "
            "ground a rich, layered look.",
            "Foliage frames the view on both sides, and depth comes from layer upon layer of green fading "
            "into the distance.",
        ),
    ),
    "sea": Category(
        "sea, ocean, beach, coast, shore, island, harbour, harbor, lighthouse, surf, tide, pier",
        (
            "The horizon lies level, and long bands of water run towards the foreground in shifting "
            "reflections.",
            "Foam slides forward and draws back again, leaving a bright, mirrored sheen behind.",
        ),
    ),
    "water": Category(
        "river, lake, waterfall, stream, pond, creek, swamp, canal, fountain",
        (
            "The water carries broken, moving reflections, and wet stone gives the near bank a fine grain.",
            "Ripples cross the water in overlapping rings, and the far bank fades into soft, simple shapes.",
        ),
    ),
    "mountains": Category(
        "mountain, peak, alp, alps, cliff, valley, hill, summit, volcano, himalaya, ridge",
        (
            "Ridge stands behind ridge, each one paler than the last, giving the view a clear sense of "
            "scale.",
            "Rock, slope and sky divide the frame into simple, powerful shapes with air between them.",
        ),
    ),
    "buildings": Category(
        "house, castle, cabin, cottage, ruin, temple, palace, tower, barn, mansion, pyramid, shrine, "
        "windmill",
        (
            "Walls, roofline and openings stand in clear relief, with weathered surfaces that hold the "
            "light.",
            "The architecture anchors the frame, and its worn textures tell of long use and many seasons.",
        ),
    ),
    MEADOW: Category(
        "meadow, garden, field, grass, park, orchard, vineyard, farm, lawn, prairie, backyard, countryside",
        (
            "Stems and leaves sway in and out of focus in the foreground, and the ground beyond fades into "
            "pale, even tones.",
            "Leaves lean in a light breeze, and small patches of colour glow softly in the distance.",
        ),
    ),
}
PLAIN_SETTING = (
    "The composition is clear and balanced, so that shape and movement read at a glance.",
    "Foreground, middle ground and background are clearly separated, which gives the frame real depth.",
)

# --- light, by place, then by time of day, then by weather

PLACE_LIGHT = {
    UNDERWATER: (
        "Shafts of light slant down from the surface and break into slow, moving ripples of brightness.",
        "Light filters down in soft columns, bright near the surface and deep blue below.",
    ),
    SPACE: (
        "A single distant sun lights one side in hard white and leaves the other in deep shadow.",
        "Hard light from one side models every form sharply, with a faint cool glow in the shadows.",
    ),
    INDOORS: (
        "Soft daylight falls from one side, models every form and fades gently into warm shadow.",
        "Light enters at an angle, catches the dust in the air and leaves the corners in quiet half-shadow.",
    ),
}
NIGHT, NOON = "night", "noon"
NIGHT_LIGHT = {
    INDOORS: (
        "Warm lamplight pools in the centre of the frame and leaves the corners in soft shadow.",
        "A few small, warm sources light the scene from within, with deep, velvety shadow around them.",
    ),
    CITY: (
        "Coloured signs and street lamps paint the scene in magenta, teal and amber, with deep, clean "
        "shadow between them.",
        "Pools of warm street light break up the dark, and every smooth surface carries a blurred "
        "reflection.",
    ),
}
TIMES: dict[str, Category] = {
    "dawn": Category(
        "dawn, sunrise, morning, daybreak, early light",
        (
            "The first sun rakes across the scene from one side, gilding edges while the shadows stay cool "
            "and blue.",
            "Early light comes in low and pale and warms by degrees, drawing long, soft shadows.",
        ),
    ),
    "dusk": Category(
        "sunset, dusk, golden hour, evening, twilight, sundown, late afternoon, setting sun",
        (
            "Low golden sun rims every outline and throws long shadows, while the sky shades from amber to "
            "violet.",
            "Warm backlight glows through every thin edge, and the air itself seems lit from within.",
        ),
    ),
    NIGHT: Category(
        "night, midnight, stars, moonlight, moonlit, moon, starry, starlight, nighttime, neon, after dark, "
        "aurora, northern lights, firefly, fireflies, firework, lantern",
        (
            "Cool night light gives every shape a silver edge, and the shadows stay deep but readable.",
            "Soft blue night light holds the whole scene together, with a few small, bright accents in the "
            "dark.",
        ),
    ),
    NOON: Category(
        "noon, midday, sunny, sunlit, sunlight, sunshine, bright day, summer, blue sky",
        (
            "Bright, clear sun gives clean contrast, saturated colour and crisp shadows.",
            "High sunlight brings out every colour at full strength, with small, sparkling highlights.",
        ),
    ),
}
PLAIN_LIGHT = (
    "Warm natural light comes from one side, rims the edges and gives every form clear volume.",
    "Soft directional light shapes the scene, with gentle highlights and open, detailed shadows.",
    "Clear side light separates the planes of the image, bright in front and softly shaded behind.",
)

# --- weather: how it lights the scene, what it does outdoors, how it looks from indoors

SNOW, RAIN, STORM, FOG, WIND, FIRE = "snow", "rain", "storm", "fog", "wind", "fire"
WEATHER_WORDS: dict[str, str] = {
    STORM: "storm, stormy, thunderstorm, thunder, lightning, hurricane, tempest, tornado, blizzard",
    RAIN: "rain, rainy, raining, drizzle, downpour, rainfall, raindrop, monsoon",
    SNOW: "snow, snowy, snowing, snowfall, snowflake, winter",
    FOG: "fog, foggy, mist, misty, haze, hazy",
    WIND: "wind, windy, breeze, breezy, gust",
    FIRE: "fire, campfire, bonfire, candle, candlelight, torch, torche, flame, fireplace, lava",
}
WEATHER_LIGHT = {
    STORM: ("Heavy cloud lets through only cold, uneven light that picks out edges and lets them go.",),
    RAIN: ("A bright, overcast sky gives soft, even light that brings out wet surfaces and muted colour.",),
    SNOW: ("Soft, nearly shadowless winter light keeps the whites delicate and the colours pale and clear.",),
    FOG: ("The light is diffuse and pearly, with contrast that fades quickly into the distance.",),
}
WEATHER = {
    STORM: ("Strong wind tears at everything loose, and dark cloud churns overhead.",),
    RAIN: (
        "Rain falls in fine, visible streaks, beading on every surface and scattering small points of light.",
        "Drops strike and burst in tiny crowns, and wet surfaces gleam with reflections.",
    ),
    SNOW: (
        "Snowflakes drift down at different depths, some sharp, some large and soft near the lens.",
        "Fine snow hangs and swirls in the air, softening every edge it settles on.",
    ),
    FOG: ("Thin veils of mist move slowly through the frame, hiding and revealing shapes as they pass.",),
    WIND: ("A steady wind keeps everything light in motion, from the smallest leaf to the loosest thread.",),
    FIRE: (
        "Firelight flickers warmly on everything near and falls off softly with distance.",
        "A restless orange glow plays over every nearby surface.",
    ),
}
WEATHER_INDOORS = {
    STORM: ("Beyond the glass, the storm presses dark and restless against the calm inside.",),
    RAIN: ("Raindrops gather on the glass and run down in crooked paths that blur the world outside.",),
    SNOW: ("Beyond the glass, snow drifts past without a sound.",),
    FOG: ("Beyond the glass, the world has faded to a pale, even grey.",),
    FIRE: WEATHER[FIRE],
}

# --- style: the look of the image. A drawn or built style replaces the sentences about real surfaces.

BLACK_AND_WHITE = "black and white"
STYLES: dict[str, Category] = {
    BLACK_AND_WHITE: Category(
        "in black and white, black and white film, black and white footage, black and white photo, "
        "monochrome, noir, silent film",
        (
            "In black and white, with fine grain and a full range of greys, the image has the poise of "
            "classic cinema.",
        ),
    ),
    "anime": Category(
        "anime, manga, cel shaded",
        (
            "Clean, confident lines, painted backgrounds and soft cel shading give each frame the look of "
            "finished hand-drawn animation.",
        ),
    ),
    "cartoon": Category(
        "cartoon, 3d animation, animated, pixar, cgi, 3d render",
        (
            "Rounded shapes, soft global illumination and expressive timing give the look of polished "
            "animation.",
        ),
    ),
    "stop motion": Category(
        "claymation, clay, stop motion, felt puppet, paper cut, papercut, origami, lego",
        (
            "Handmade textures, tiny irregularities and a miniature sense of scale give the look of careful "
            "stop motion.",
        ),
    ),
    "painting": Category(
        "watercolor, watercolour, oil painting, painting of, ink drawing, ink wash, sketch, pencil drawing, "
        "impressionist, van gogh, pastel",
        (
            "Visible brushwork and the grain of paper and pigment live in every frame, as if a painting had "
            "begun to move.",
        ),
    ),
    "pixel art": Category(
        "pixel art, 8 bit, 16 bit, voxel",
        (
            "A limited palette, crisp blocks of colour and simple, readable motion give the look of a "
            "classic game.",
        ),
    ),
    "old film": Category(
        "vintage film, retro film, 8mm, super 8, vhs, old film, sepia, 1920s, 1950s, 1970s, 1980s",
        ("Faded colour, soft grain and a slight flicker give the image the warmth of an old home reel.",),
    ),
}
BLACK_AND_WHITE_LIGHT = (
    "Strong side light cuts the frame into deep black, silvery grey and clean white.",
    "One hard source throws long, graphic shadows across the scene.",
)
DRAWN = frozenset({"anime", "cartoon", "stop motion", "painting", "pixel art"})
FILM_LOOK = (
    "Fine grain, rich but restrained colour and true-to-life texture give the image the look of 35 mm film.",
    "The image is crisp and photorealistic, with wide dynamic range, natural colour and finely resolved "
    "texture.",
    "Colours are natural and carefully balanced, highlights roll off softly, and textures stay clear.",
)

# --- mood

MOODS = (
    Category(
        "sad, lonely, alone, melancholy, melancholic, grief, abandoned, nostalgic, nostalgia, farewell, "
        "forgotten",
        ("The mood is tender and melancholy, with long pauses and plenty of empty space around each shape.",),
    ),
    Category(
        "scary, horror, creepy, haunted, ghost, zombie, eerie, sinister, spooky, nightmare",
        ("The mood is uneasy and hushed, with more suggested in the shadows than is ever shown.",),
    ),
    Category(
        "epic, battle, dramatic, heroic, war, army, majestic, legendary, warrior, dragon",
        ("The mood is grand and charged, building steadily towards a moment that feels larger than life.",),
    ),
    Category(
        "happy, joyful, joy, fun, funny, playful, birthday, party, festival, laughing, cheerful, dancing, "
        "celebration, silly",
        ("The mood is light and joyful, with quick, bright accents and an easy, natural rhythm.",),
    ),
    Category(
        "romantic, love, lover, wedding, kiss, kissing, bride, couple",
        ("The mood is warm and intimate, and the moment is given all the time it needs.",),
    ),
    Category(
        "race, racing, chase, chasing, escape, speeding, running, exploding, explosion, fast, fight, "
        "fighting",
        ("The mood is urgent and exhilarating, and energy builds from the first frame to the last.",),
    ),
    Category(
        "magic, magical, fantasy, fairy, fairie, dream, dreamy, enchanted, surreal, mystical, wizard, "
        "witch, glowing",
        ("The mood is one of wonder, as though something impossible were quietly allowed to happen.",),
    ),
    Category(
        "calm, peaceful, quiet, serene, gentle, tranquil, silent, asleep, sleeping, slow, cozy, cosy, "
        "meditating",
        ("The mood is serene and unhurried, and the quiet itself becomes part of the scene.",),
    ),
    Category(
        "futuristic, cyberpunk, sci fi, science fiction, dystopian, robot, hologram",
        ("The mood is cool and watchful, hinting at a larger world just outside the frame.",),
    ),
)
PLAIN_MOOD = (
    "The mood is sincere and immersive, and the pace leaves time to look.",
    "The whole scene feels alive and present, as if it had been waiting to be noticed.",
    "The overall feeling is one of quiet attention, with nothing in the frame by accident.",
)
