"""The dashboard: from incoming requests to finished films."""

from collections.abc import Sequence

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct


class Dashboard(Construct):
    """`dashboard.row({title: metrics, …})` adds a row of graphs."""

    def __init__(self, scope: Construct, id: str, *, name: str) -> None:
        super().__init__(scope, id)
        self.dashboard = cloudwatch.Dashboard(
            self, "Dashboard", dashboard_name=name, period_override=cloudwatch.PeriodOverride.AUTO
        )

    def row(self, graphs: dict[str, Sequence[cloudwatch.IMetric]]) -> None:
        """Add a row of graphs that share the dashboard's width of 24."""
        width = 24 // len(graphs)
        self.dashboard.add_widgets(
            *(
                cloudwatch.GraphWidget(title=title, left=list(metrics), width=width)
                for title, metrics in graphs.items()
            )
        )
