"""What benchmarks.scale reckons with is what is deployed."""

from benchmarks.scale.limits import API_REQUESTS_PER_SECOND
from benchmarks.scale.reckoning import AUTHORIZED_SECONDS, MEMORY_MB
from tests.template.reading import Template, function_ids, properties


def test_functions_have_the_memory_that_their_cost_is_reckoned_with(pipeline: Template) -> None:
    functions = properties(pipeline, "AWS::Lambda::Function")
    deployed = {name: functions[id_]["MemorySize"] for name, id_ in function_ids(pipeline).items()}
    assert MEMORY_MB.items() <= deployed.items()


def test_the_api_has_the_throttle_that_is_reckoned_with(pipeline: Template) -> None:
    (stage,) = properties(pipeline, "AWS::ApiGateway::Stage").values()
    (settings,) = stage["MethodSettings"]
    assert settings["ThrottlingRateLimit"] == API_REQUESTS_PER_SECOND


def test_a_key_is_remembered_for_as_long_as_is_reckoned_with(pipeline: Template) -> None:
    for authorizer in properties(pipeline, "AWS::ApiGateway::Authorizer").values():
        assert authorizer["AuthorizerResultTtlInSeconds"] == AUTHORIZED_SECONDS
