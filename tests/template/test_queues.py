"""`reel ops` finds the queues by the stack's outputs (reelworks/operations/dead_letters.py)."""

from tests.template.reading import Template, of_type


def test_every_queue_is_an_output(pipeline: Template) -> None:
    named = {
        output["Value"]["Ref"]: name
        for name, output in pipeline["Outputs"].items()
        if name.endswith("QueueUrl")
    }
    assert set(named) == set(of_type(pipeline, "AWS::SQS::Queue"))


def test_a_dead_letter_queue_of_no_queue_is_for_events(pipeline: Template) -> None:
    queues = of_type(pipeline, "AWS::SQS::Queue")
    dead = [
        queue["Properties"]["RedrivePolicy"]
        for queue in queues.values()
        if "RedrivePolicy" in queue["Properties"]
    ]
    fed = {policy["deadLetterTargetArn"]["Fn::GetAtt"][0] for policy in dead}
    live = {
        source["Properties"]["EventSourceArn"]["Fn::GetAtt"][0]
        for source in of_type(pipeline, "AWS::Lambda::EventSourceMapping").values()
    }
    events = pipeline["Outputs"]["FailedEventsQueueUrl"]["Value"]["Ref"]
    assert set(queues) - fed - live == {events}
