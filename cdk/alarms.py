"""The alarms and the topic they notify."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from cdk.permissions import Pack, acknowledge


class Alarms(Construct):
    """`alarms.on(…)` adds an alarm."""

    def __init__(self, scope: Construct, id: str, *, topic_arn: str, email: str, key_arn: str) -> None:
        """Notify the topic, or a new one if `topic_arn` is empty, encrypted with the key, or a new one if
        `key_arn` is empty. `email` may be empty; its owner must confirm the subscription once."""
        super().__init__(scope, id)
        self.topic = (
            sns.Topic.from_topic_arn(self, "Topic", topic_arn) if topic_arn else self._topic(email, key_arn)
        )

    def _topic(self, email: str, key_arn: str) -> sns.Topic:
        key = kms.Key.from_key_arn(self, "Key", key_arn) if key_arn else self._key()
        topic = sns.Topic(self, "Topic", enforce_ssl=True, master_key=key)
        cloudwatch_service = iam.ServicePrincipal("cloudwatch.amazonaws.com")
        key.grant_encrypt_decrypt(cloudwatch_service)
        topic.grant_publish(cloudwatch_service)
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

    def on(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        *,
        above: float,
        periods: int = 1,
        advice: str,
    ) -> None:
        """Add an alarm that fires when the metric exceeds `above` for `periods` periods.

        Missing data counts as healthy.
        """
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_description=advice,
            metric=metric,
            threshold=above,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=periods,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        alarm.add_ok_action(actions.SnsAction(self.topic))
