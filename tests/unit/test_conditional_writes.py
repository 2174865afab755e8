"""A conditional write whose answer is lost: boto3 sends it again, and it recognizes itself."""

import json
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError

from lambdas.adapters.conditional_writes import MARK, ConditionalWrites
from lambdas.domain.errors import ServiceUnavailable

KEY = {"pk": {"S": "p"}, "sk": {"S": "s"}}


class Table:
    """A table of one item whose conditions are all "the item does not exist yet". `losing` answers are lost;
    then, `after` changes the item as another writer would."""

    def __init__(self, losing: int = 0) -> None:
        self.item: dict[str, Any] | None = None
        self.tries = 0
        self.losing = losing
        self.after: dict[str, Any] = {}
        self.dynamodb: Any = boto3.client(
            "dynamodb",
            "us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
            config=Config(retries={"mode": "standard", "total_max_attempts": 2}),
        )
        self.dynamodb.meta.events.register("before-send.dynamodb", self._take)

    def _take(self, request: AWSRequest, **_: object) -> AWSResponse:
        self.tries += 1
        asked = json.loads(request.body)
        answer = self._written(asked)
        if self.tries <= self.losing:
            if self.item is not None:
                self.item |= self.after
            raise ConnectionClosedError(endpoint_url="https://dynamodb.us-east-1.amazonaws.com")
        return answer

    def _written(self, asked: dict[str, Any]) -> AWSResponse:
        if self.item is not None:
            kind = "ConditionalCheckFailedException"
            wanted = asked.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            return _answer(400, {"__type": kind} | ({"Item": self.item} if wanted else {}))
        if "Item" in asked:
            self.item = asked["Item"]
            return _answer(200, {})
        values, names = asked["ExpressionAttributeValues"], asked["ExpressionAttributeNames"]
        expression = asked["UpdateExpression"].partition(" REMOVE ")[0].removeprefix("SET ")
        pairs = [assignment.split(" = ") for assignment in expression.split(", ")]
        self.item = {names[name]: values[value] for name, value in pairs}
        return _answer(200, {"Attributes": self.item})


def _answer(status: int, body: dict[str, Any]) -> AWSResponse:
    class Raw:
        def stream(self, *_: object, **__: object) -> list[bytes]:
            return [json.dumps(body).encode()]

    return AWSResponse("https://dynamodb.us-east-1.amazonaws.com", status, {}, Raw())


def put(table: Table) -> bool:
    return ConditionalWrites(table.dynamodb, "t").put("put", KEY, "attribute_not_exists(pk)")


def update(table: Table) -> bool:
    written = ConditionalWrites(table.dynamodb, "t").update(
        "update", KEY, {"colour": {"S": "red"}}, "attribute_not_exists(pk)", remove=["open"]
    )
    assert written is None or written["colour"] == {"S": "red"}
    return written is not None


WRITES = pytest.mark.parametrize("write", [put, update])


@WRITES
def test_a_write_whose_answer_is_lost_knows_itself(write: Any) -> None:
    table = Table(losing=1)
    assert write(table)
    assert table.tries == 2


@WRITES
def test_another_s_write_is_not_taken_for_its_own(write: Any) -> None:
    table = Table()
    assert write(table)
    assert not write(table)


@WRITES
def test_another_s_same_write_is_not_taken_for_its_own(write: Any) -> None:
    """Two writers that write the same thing: only one of them wrote it."""
    table = Table(losing=1)
    table.after = {MARK: {"S": "another's"}}
    assert not write(table)


@WRITES
def test_an_item_that_was_deleted_meanwhile_is_not_its_own(write: Any) -> None:
    table = Table()
    table.item = {}  # DynamoDB returns no item if there is none
    assert not write(table)


@WRITES
def test_a_write_of_which_no_try_is_answered_is_unavailable(write: Any) -> None:
    with pytest.raises(ServiceUnavailable):
        write(Table(losing=2))


def test_each_write_has_its_own_mark() -> None:
    marks = set()
    for _ in range(3):
        table = Table()
        assert put(table)
        assert table.item is not None
        marks.add(table.item[MARK]["S"])
    assert len(marks) == 3
