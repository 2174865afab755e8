"""A web ACL of the REST API that limits the requests of one address, before the authorizer runs."""

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from cdk.permissions import Pack, acknowledge

WINDOW_SECONDS = 300


class WebAcl(Construct):
    """The gateway answers a refused request with its response type WAF_FILTERED (cdk/api.py)."""

    def __init__(
        self, scope: Construct, id: str, *, prefix: str, stage: apigateway.Stage, requests: int
    ) -> None:
        """`requests`: of an address, within WINDOW_SECONDS."""
        super().__init__(scope, id)
        name = f"{prefix}-requests"
        visibility = wafv2.CfnWebACL.VisibilityConfigProperty(
            cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=True
        )
        acl = wafv2.CfnWebACL(
            self,
            "Acl",
            name=name,
            scope="REGIONAL",
            default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=visibility,
            rules=[
                wafv2.CfnWebACL.RuleProperty(
                    name="rate",
                    priority=0,
                    action=wafv2.CfnWebACL.RuleActionProperty(block={}),
                    statement=wafv2.CfnWebACL.StatementProperty(
                        rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
                            aggregate_key_type="IP",
                            limit=requests,
                            evaluation_window_sec=WINDOW_SECONDS,
                        )
                    ),
                    visibility_config=visibility,
                )
            ],
        )
        acknowledge(acl, "WAFv2LoggingEnabled", "Its metrics count what is refused.", pack=Pack.NIST)
        wafv2.CfnWebACLAssociation(
            self, "Association", resource_arn=stage.stage_arn, web_acl_arn=acl.attr_arn
        )
