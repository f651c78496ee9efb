"""The panels of the dashboard: charts and lists, and their places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from devstack.views.definitions import (
    DENIED,
    ERRORS,
    EVERYTHING,
    FAILED,
    NEW_CREDENTIALS,
    ROOT,
    ROOT_USE,
    SECURITY_GROUPS,
    SIGN_INS,
    SUCCEEDED,
    WITHOUT_MFA,
    Chart,
    Filters,
    OverTime,
    Places,
    Search,
    Terms,
)


@dataclass(frozen=True, slots=True)
class Panel:
    """The place of a view on the dashboard, which is 48 columns wide."""

    view: Search | Chart
    x: int
    y: int
    width: int
    height: int


_CALLER: Final = Terms("userIdentity.arn", "Caller", without="no ARN")

PANELS: Final = (
    Panel(
        Chart(
            "cloudtrail-chart-numbers",
            "CloudTrail: events, errors, sign-ins, root use",
            "numbers",
            EVERYTHING,
            (
                Filters(
                    (
                        ("Events", "*"),
                        ("Errors", ERRORS),
                        ("Denied", DENIED),
                        ("Console sign-ins", SIGN_INS),
                        ("Without MFA", WITHOUT_MFA),
                        ("Root use", ROOT_USE),
                    )
                ),
            ),
        ),
        x=0, y=0, width=48, height=6,
    ),
    Panel(
        Chart(
            "cloudtrail-chart-activity",
            "CloudTrail: activity by service, over time",
            "columns",
            EVERYTHING,
            (OverTime(), Terms("eventSource", "Service")),
        ),
        x=0, y=6, width=48, height=12,
    ),
    Panel(
        Chart(
            "cloudtrail-chart-services",
            "CloudTrail: services",
            "bars",
            EVERYTHING,
            (Terms("eventSource", "Service", 15),),
        ),
        x=0, y=18, width=16, height=14,
    ),
    Panel(
        Chart(
            "cloudtrail-chart-regions",
            "CloudTrail: regions",
            "bars",
            EVERYTHING,
            (Terms("awsRegion", "Region", 20),),
        ),
        x=16, y=18, width=16, height=14,
    ),
    Panel(
        Chart(
            "cloudtrail-chart-callers",
            "CloudTrail: callers",
            "table",
            EVERYTHING,
            (Terms("userIdentity.type", "Kind of caller", 8, "none"), _CALLER),
        ),
        x=32, y=18, width=16, height=14,
    ),
    Panel(
        Chart(
            "cloudtrail-chart-errors-over-time",
            "CloudTrail: errors over time",
            "columns",
            ERRORS,
            (OverTime(), Terms("errorCode", "Error", without="no code")),
        ),
        x=0, y=32, width=24, height=12,
    ),
    Panel(
        Chart(
            "cloudtrail-chart-errors",
            "CloudTrail: errors by service and call",
            "table",
            ERRORS,
            (
                Terms("errorCode", "Error", without="no code"),
                Terms("eventSource", "Service"),
                Terms("eventName", "Call"),
            ),
        ),
        x=24, y=32, width=24, height=12,
    ),
    Panel(
        Chart(
            "cloudtrail-chart-sign-ins-over-time",
            "CloudTrail: console sign-ins over time",
            "columns",
            SIGN_INS,
            (OverTime(), Filters((("Succeeded", SUCCEEDED), ("Failed", FAILED)))),
        ),
        x=0, y=44, width=24, height=12,
    ),
    Panel(
        Chart(
            "cloudtrail-chart-sign-ins",
            "CloudTrail: console sign-ins by caller and address",
            "table",
            SIGN_INS,
            (_CALLER, Terms("sourceIPAddress", "Address")),
        ),
        x=24, y=44, width=24, height=12,
    ),
    Panel(
        Chart(
            "cloudtrail-chart-root",
            "CloudTrail: root use by call",
            "table",
            ROOT_USE,
            (Terms("eventSource", "Service"), Terms("eventName", "Call")),
        ),
        x=0, y=56, width=16, height=12,
    ),
    Panel(ROOT, x=16, y=56, width=32, height=12),
    Panel(
        Chart(
            "cloudtrail-chart-denied",
            "CloudTrail: denied calls by caller",
            "table",
            DENIED,
            (_CALLER, Terms("eventSource", "Service"), Terms("eventName", "Call")),
        ),
        x=0, y=68, width=24, height=12,
    ),
    Panel(
        # A region that was not used before has a new colour.
        Chart(
            "cloudtrail-chart-regions-over-time",
            "CloudTrail: regions over time",
            "columns",
            EVERYTHING,
            (OverTime(), Terms("awsRegion", "Region", 30)),
        ),
        x=24, y=68, width=24, height=12,
    ),
    Panel(
        Chart(
            "cloudtrail-chart-without-mfa",
            "CloudTrail: console sign-ins without MFA",
            "table",
            WITHOUT_MFA,
            (_CALLER, Terms("sourceIPAddress", "Address"), Terms("awsRegion", "Region")),
        ),
        x=0, y=80, width=16, height=12,
    ),
    Panel(
        Chart(
            "cloudtrail-chart-credentials",
            "CloudTrail: new credentials by caller",
            "table",
            NEW_CREDENTIALS,
            (_CALLER, Terms("eventName", "Call"), Terms("errorCode", "Error", without="none")),
        ),
        x=16, y=80, width=16, height=12,
    ),
    Panel(
        Chart(
            "cloudtrail-chart-security-groups",
            "CloudTrail: security group changes by caller",
            "table",
            SECURITY_GROUPS,
            (_CALLER, Terms("eventName", "Call"), Terms("awsRegion", "Region")),
        ),
        x=32, y=80, width=16, height=12,
    ),
    # Empty if enrichment is off: the field exists, but no event has it.
    Panel(
        Chart(
            "cloudtrail-chart-places",
            "CloudTrail: places of source addresses",
            "map",
            EVERYTHING,
            (Places("source.geo.location"),),
        ),
        x=0, y=92, width=48, height=18,
    ),
)  # fmt: skip

CHARTS: Final = tuple(panel.view for panel in PANELS if isinstance(panel.view, Chart))
