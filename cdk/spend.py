"""A monthly budget of the account, whose notices go to the alarms' topic."""

from aws_cdk import Aws, Stack
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_sns as sns
from constructs import Construct

# Percent of the month's budget, spent or (FORECASTED) expected by the end of the month.
_NOTICES = (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))


class MonthlyBudget(Construct):
    """Of the whole account: a budget of the deployment alone needs cost allocation tags, which only the owner
    of the bill can activate."""

    def __init__(self, scope: Construct, id: str, *, name: str, usd: float, topic: sns.ITopic) -> None:
        super().__init__(scope, id)
        subscriber = budgets.CfnBudget.SubscriberProperty(subscription_type="SNS", address=topic.topic_arn)
        self.budget = budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=name,
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=usd, unit="USD"),
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        notification_type=kind,
                        comparison_operator="GREATER_THAN",
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[subscriber],
                )
                for kind, percent in _NOTICES
            ],
        )
        self.budget.node.add_dependency(topic)  # Budgets checks that it may publish


def budget_conditions(stack: Stack) -> dict[str, dict[str, str]]:
    """Return the conditions under which Budgets publishes to a topic.

    Source: AWS Cost Management's guide, "Creating an Amazon SNS topic for budget notifications".
    """
    return {
        "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
        "ArnLike": {"aws:SourceArn": f"arn:{stack.partition}:budgets::{Aws.ACCOUNT_ID}:*"},
    }
