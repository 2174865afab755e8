"""benchmarks.writer with the rule-based director, whose storyboards never need a repair."""

import asyncio

from benchmarks.writer import SCENES, TOPICS, Row, measure, summary
from reelworks.cloud.backends.text.catalogue import TextKind
from reelworks.cloud.settings import TextServer


def test_the_rules_need_no_repair_for_any_topic_and_say_it_once() -> None:
    assert len({topic for some in TOPICS.values() for topic in some}) == 40
    name, rows = asyncio.run(measure(TextServer(kind=TextKind.RULES), 40, show=False))
    assert {(row.repairs, row.spoken) for row in rows} == {(0, 1)}
    said = summary(name, rows)
    assert said.startswith(
        "rule-based director: of 40 storyboards, 40 needed no repair, 0 one, 0 were not usable"
    )


def test_a_summary_counts_what_was_not_usable() -> None:
    rows = [Row("Tides", "en-US", 1, 2.0, SCENES), Row("Bees", "en-US", None, 4.0, 0, "cut off")]
    assert summary("m", rows).startswith(
        "m: of 2 storyboards, 0 needed no repair, 1 one, 1 were not usable; 4.0 of 4"
    )
