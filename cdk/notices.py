"""SageMaker's notices: two topics that SettleClip subscribes to."""

from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct


class Notices(Construct):
    def __init__(
        self, scope: Construct, id: str, *, listener: lambda_.IFunction, failed_events: sqs.IQueue
    ) -> None:
        super().__init__(scope, id)
        # SNS's own key is enough: the publisher is a role of this account, the endpoints' role.
        key = kms.Alias.from_alias_name(self, "Key", "alias/aws/sns")
        self.success = sns.Topic(self, "Success", enforce_ssl=True, master_key=key)
        self.error = sns.Topic(self, "Error", enforce_ssl=True, master_key=key)
        for topic in (self.success, self.error):
            topic.add_subscription(
                subscriptions.LambdaSubscription(listener, dead_letter_queue=failed_events)
            )
