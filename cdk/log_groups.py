"""Log groups defined in the template: those that a service creates automatically never expire."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct

_RETENTION = {
    1: logs.RetentionDays.ONE_DAY,
    3: logs.RetentionDays.THREE_DAYS,
    5: logs.RetentionDays.FIVE_DAYS,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}


def log_group(scope: Construct, id: str, *, name: str, days: int) -> logs.LogGroup:
    """Create a log group that is deleted with its stack; `days` is a retention that the settings allow."""
    return logs.LogGroup(
        scope, id, log_group_name=name, retention=_RETENTION[days], removal_policy=RemovalPolicy.DESTROY
    )
