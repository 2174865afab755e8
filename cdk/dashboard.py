"""The dashboard: from incoming requests to finished films."""

from collections.abc import Sequence

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

_WIDTH = 24  # of every dashboard


class Dashboard(Construct):
    """`dashboard.text(…)` and `dashboard.row({title: metrics, …})` add rows, from top to bottom."""

    def __init__(self, scope: Construct, id: str, *, name: str) -> None:
        super().__init__(scope, id)
        self.dashboard = cloudwatch.Dashboard(
            self, "Dashboard", dashboard_name=name, period_override=cloudwatch.PeriodOverride.AUTO
        )

    def text(self, markdown: str) -> None:
        self.dashboard.add_widgets(cloudwatch.TextWidget(markdown=markdown, width=_WIDTH, height=1))

    def row(self, graphs: dict[str, Sequence[cloudwatch.IMetric]]) -> None:
        """Add a row of graphs that share the dashboard's width."""
        width = _WIDTH // len(graphs)
        self.dashboard.add_widgets(
            *(
                cloudwatch.GraphWidget(title=title, left=list(metrics), width=width)
                for title, metrics in graphs.items()
            )
        )
