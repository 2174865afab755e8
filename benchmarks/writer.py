"""How often a text model's storyboard needs no repair, on 40 topics in five languages.

    python -m benchmarks.writer                                      # what this PC uses (reel status)
    python -m benchmarks.writer --kind gguf --model qwen3-4b         # or the path of a GGUF file
    python -m benchmarks.writer --kind ollama --url http://127.0.0.1:11434 --model qwen3:8b
    python -m benchmarks.writer --kind rules --json

Each topic is asked and judged as for a film of four scenes, and once more with its problems if the answer
can't be used. `--show` prints the narrations, to be read.
"""

import argparse
import asyncio
import json
import os
import time
from dataclasses import asdict, dataclass

import httpx

from lambdas.domain.brief import Brief
from lambdas.domain.json_answers import object_in
from lambdas.domain.storyboard import Storyboard
from lambdas.domain.storyboard_answers import AnswerRejected, accept_storyboard
from lambdas.domain.storyboard_questions import Question, repair_message, storyboard_question
from reelworks.cloud.backends.text.catalogue import TextKind
from reelworks.cloud.backends.text.interface import Conversation, TextBackend, Tool, Turn
from reelworks.cloud.errors import ServiceError
from reelworks.cloud.home import Home
from reelworks.cloud.services.text_models import connect, text_in_use
from reelworks.cloud.settings import Settings, TextServer

BUDGET, SCENES = 226, 4  # the tokens of CogVideoX's text encoder
TOPICS: dict[str, tuple[str, ...]] = {
    "en-US": (
        "A leather handbag for the office",
        "How to file an expense report",
        "Our new electric bike",
        "A coffee shop opens in Leeds",
        "Spring sale: garden furniture at half price",
        "Meet the team behind our support desk",
        "Fire safety in the warehouse",
        "How to lift heavy boxes without hurting your back",
        "Phishing e-mails and how to recognise them",
        "Welcome to your first day",
        "How tides work",
        "Why is the sky blue?",
        "The life of a honey bee",
        "How vaccines train the immune system",
        "Plate tectonics",
        "What black holes are",
        "An old lighthouse keeper befriends a young whale",
        "A robot learns to paint",
        "Two sisters find a map in the attic",
        "The last train to the mountains",
        "The city council votes on a new bus line",
        "Heavy rain floods the lower town",
        "A local team wins the cup",
        "How to bake sourdough bread",
        "Shakshuka in twenty minutes",
        "Three ways to cook rice",
        "The history of the bicycle",
        "Paris in spring",
    ),
    "de-DE": ("Wie Ebbe und Flut entstehen", "Eine Ledertasche für das Büro", "Der erste Arbeitstag"),
    "es-ES": ("Cómo funcionan las mareas", "Un bolso de cuero para la oficina", "La vida de una abeja"),
    "fr-FR": (
        "Comment fonctionnent les marées",
        "Un sac en cuir pour le bureau",
        "Pourquoi le ciel est bleu",
    ),
    "ja-JP": ("潮の満ち引きの仕組み", "ミツバチの一生", "はじめての出社日"),
}


@dataclass(frozen=True)
class Row:
    """What became of a topic. `repairs` None: no storyboard, whose last problem is `problem`."""

    topic: str
    language: str
    repairs: int | None
    seconds: float
    spoken: int  # scenes with narration
    problem: str = ""


async def written(backend: TextBackend, topic: str, language: str) -> tuple[Row, Storyboard | None]:
    brief = Brief(topic=topic, language=language, scenes=SCENES)
    question = storyboard_question(brief, BUDGET)
    began, message, problem = time.monotonic(), question.message, ""
    for repairs in range(2):
        answer = None
        try:
            answer = await _answer(backend, question, message)
            accepted = accept_storyboard(answer, brief, BUDGET).storyboard
        except ServiceError as error:
            problem = str(error)
            break
        except AnswerRejected as rejected:
            problem = rejected.problems[0]
            message = repair_message(question.message, answer, rejected.problems)
            continue
        spoken = sum(scene.is_spoken for scene in accepted.scenes)
        return Row(topic, language, repairs, time.monotonic() - began, spoken), accepted
    return Row(topic, language, None, time.monotonic() - began, 0, problem), None


async def _answer(backend: TextBackend, question: Question, message: str) -> object:
    """Return the tool's input, as Bedrock's stand-in and the task read it. Raises AnswerRejected if it was
    cut off or is none."""
    tool = Tool(question.tool.name, question.tool.description, question.tool.schema)
    answer = await backend.answer(
        Conversation(
            system=question.system,
            turns=(Turn("user", message),),
            tool=tool,
            max_tokens=question.answer_tokens,
            temperature=None,
            top_p=None,
            stop=(),
            context_tokens=None,
        )
    )
    if answer.stop_reason == "max_tokens":
        raise AnswerRejected(["The answer was cut off before its end."])
    found = object_in(answer.text, tool.schema)
    if found is None:
        raise AnswerRejected(["The answer is not one JSON object by its schema."])
    return found


async def measure(server: TextServer | None, topics: int, *, show: bool) -> tuple[str, list[Row]]:
    home = Home.locate()
    async with httpx.AsyncClient(trust_env=False) as http:
        if server is None:
            server = (await text_in_use(Settings.load(home, os.environ), home.models, http)).server
        backend = connect(server.at_home(home), http)
        rows = []
        asked = [(topic, language) for language, some in TOPICS.items() for topic in some][:topics]
        try:
            for topic, language in asked:
                row, storyboard = await written(backend, topic, language)
                rows.append(row)
                if show:
                    print(f"\n{topic} ({language}): {storyboard.title if storyboard else row.problem}")
                    for scene in storyboard.scenes if storyboard else ():
                        print(f"  {scene.narration.text if scene.narration else ''}")
        finally:
            await backend.free()
        return backend.name, rows


def summary(name: str, rows: list[Row]) -> str:
    repairs = [row.repairs for row in rows]
    seconds = sorted(row.seconds for row in rows)
    spoken = sum(row.spoken for row in rows) / max(1, sum(row.repairs is not None for row in rows))
    return (
        f"{name}: of {len(rows)} storyboards, {repairs.count(0)} needed no repair, {repairs.count(1)} one, "
        f"{repairs.count(None)} were not usable; {spoken:.1f} of {SCENES} scenes spoken; "
        f"{seconds[len(seconds) // 2]:.2f} s each (median)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kind", choices=list(TextKind))
    for name in ("--url", "--model"):
        parser.add_argument(name, default="")
    parser.add_argument(
        "--topics", type=int, default=sum(map(len, TOPICS.values())), help="only the first ones"
    )
    parser.add_argument("--show", action="store_true", help="print the narrations")
    parser.add_argument("--json", action="store_true", help="print one object")
    given = parser.parse_args()
    server = TextServer(kind=given.kind, url=given.url, model=given.model) if given.kind else None
    name, rows = asyncio.run(measure(server, given.topics, show=given.show))
    if given.json:
        print(json.dumps({"by": name, "rows": [asdict(row) for row in rows]}, ensure_ascii=False, indent=1))
        return
    for row in rows:
        if row.repairs != 0:
            print(f"{row.topic} ({row.language}): {row.problem or 'repaired'}")
    print(summary(name, rows))


if __name__ == "__main__":
    main()
