"""The alarms and the topic they notify."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from cdk.permissions import Pack, acknowledge
from cdk.runbooks import with_runbook

_OF_A_SUM = 10  # metrics that an alarm's expression may have (CloudWatch's guide, "Using metric math")


class Alarms(Construct):
    """`alarms.on(…)` adds an alarm."""

    def __init__(
        self, scope: Construct, id: str, *, topic_arn: str, email: str, key_arn: str, runbooks: str
    ) -> None:
        """Notify the topic, or a new one if `topic_arn` is empty, encrypted with the key, or a new one if
        `key_arn` is empty. `email` may be empty; its owner must confirm the subscription once. `runbooks` is
        the folder of the runbooks."""
        super().__init__(scope, id)
        self._runbooks = runbooks
        self.topic = (
            sns.Topic.from_topic_arn(self, "Topic", topic_arn) if topic_arn else self._topic(email, key_arn)
        )
        self.grant_publish("cloudwatch.amazonaws.com")

    def _topic(self, email: str, key_arn: str) -> sns.Topic:
        key = kms.Key.from_key_arn(self, "Key", key_arn) if key_arn else self._key()
        topic = sns.Topic(self, "Topic", enforce_ssl=True, master_key=key)
        if email:
            topic.add_subscription(subscriptions.EmailSubscription(email))
            acknowledge(
                topic,
                "SNSRedrivePolicy",
                "A mail that is not accepted is not sent again; CloudWatch shows the alarm.",
                pack=Pack.SERVERLESS,
            )
        return topic

    def _key(self) -> kms.Key:
        # CloudWatch may not use SNS's own key (SNS's guide), so the topic has its own.
        return kms.Key(
            self,
            "Key",
            description="Key of the topic for Reelworks' alarms",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.DESTROY,
        )

    def grant_publish(self, service: str, *, conditions: Mapping[str, Any] | None = None) -> None:
        """Allow an AWS service to publish to the topic, and to use its key. The owner of a topic or key that
        existed before must allow it there (docs/deploy.md).

        Give `conditions` only as the service documents them: most don't send the values that they would test.
        """
        self.topic.grant_publish(iam.ServicePrincipal(service, conditions=conditions))

    def on(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        *,
        above: float,
        periods: int = 1,
        runbook: str,
        advice: str,
    ) -> None:
        """Add an alarm that fires when the metric exceeds `above` for `periods` periods.

        Missing data counts as healthy. `runbook` is the name of a page in docs/runbooks/, without `.md`.
        """
        self._add(
            name,
            alarm_description=with_runbook(advice, self._runbooks, runbook),
            metric=metric,
            threshold=above,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=periods,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def on_sum(
        self,
        name: str,
        metrics: Sequence[cloudwatch.IMetric],
        *,
        above: float,
        periods: int = 1,
        runbook: str,
        advice: str,
    ) -> None:
        """Add alarms on the sum of the metrics, each over as many as an alarm may have."""
        groups = [metrics[start : start + _OF_A_SUM] for start in range(0, len(metrics), _OF_A_SUM)]
        for number, group in enumerate(groups, 1):
            total = cloudwatch.MathExpression(
                expression="SUM(METRICS())",
                using_metrics={f"m{place}": metric for place, metric in enumerate(group)},
                label=name,
            )
            self.on(f"{name}{number}", total, above=above, periods=periods, runbook=runbook, advice=advice)

    def on_silence(
        self, name: str, metric: cloudwatch.IMetric, *, periods: int, runbook: str, advice: str
    ) -> None:
        """Add an alarm that fires when nothing was counted, or no data arrived, for `periods` periods."""
        self._add(
            name,
            alarm_description=with_runbook(advice, self._runbooks, runbook),
            metric=metric,
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            evaluation_periods=periods,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )

    def _add(self, name: str, **properties: Any) -> None:
        # CloudFormation's own names drop the hyphens, so that an engine's name can't be read in them.
        alarm = cloudwatch.Alarm(self, name, alarm_name=f"{Stack.of(self).stack_name}-{name}", **properties)
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        alarm.add_ok_action(actions.SnsAction(self.topic))
