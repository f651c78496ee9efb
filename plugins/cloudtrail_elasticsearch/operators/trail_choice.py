"""The base of the plan tasks of a trail: which trail it is, and which accounts, regions and kinds are wanted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cloudtrail_elasticsearch.core.errors import PlanError
from cloudtrail_elasticsearch.core.log_text import safe_text
from cloudtrail_elasticsearch.operators.base import read_setting
from cloudtrail_elasticsearch.operators.days import PlanOperator, read_names
from cloudtrail_elasticsearch.params import TASKS
from cloudtrail_elasticsearch.trail_params import TRAIL_PARAMS

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook
    from cloudtrail_elasticsearch.sources.trail.listing import Selection
    from cloudtrail_elasticsearch.sources.trail.settings import TrailSettings


class TrailPlanOperator(PlanOperator):
    """Plans work on a trail. `PlanOperator` has the other arguments.

    Give the trail by its ARN, or by its bucket and prefix.

    :param trail: the trail's ARN; `cloudtrail:GetTrail` returns its bucket and prefix
    :param trail_bucket: the bucket that the trail writes to
    :param trail_prefix: the trail's key prefix; it may end with ``AWSLogs/o-…``, the folder of one organization
    :param accounts: the ids of the accounts to load; a minus before an id leaves it out; empty: all in the bucket
    :param regions: the regions to load; empty: all
    :param kinds: the kinds of event to load, by their folders, such as ``CloudTrail``; empty: all
    :param tasks: the most batches of a day
    :param trail_conn_id: the AWS connection that reads the trail; its role may be one of another account

    If `trail` and `trail_bucket` are both empty, the Airflow variables ``cloudtrail_trail``,
    ``cloudtrail_trail_bucket`` and ``cloudtrail_trail_prefix`` are used. If `accounts`, `regions` or `kinds` is
    empty, the Airflow variable ``cloudtrail_trail_accounts``, ``cloudtrail_trail_regions`` or
    ``cloudtrail_trail_kinds`` is used: names with blanks or commas between them.
    """

    template_fields: Sequence[str] = (
        *PlanOperator.template_fields,
        "trail",
        "trail_bucket",
        "trail_prefix",
        "accounts",
        "regions",
        "kinds",
        "tasks",
        "trail_conn_id",
    )
    ui_color = "#efe6f8"

    def __init__(
        self,
        *,
        trail: str = "",
        trail_bucket: str = "",
        trail_prefix: str = "",
        accounts: Sequence[str] | str = (),
        regions: Sequence[str] | str = (),
        kinds: Sequence[str] | str = (),
        tasks: str | int = TASKS,
        trail_conn_id: str | None = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.trail = trail
        self.trail_bucket = trail_bucket
        self.trail_prefix = trail_prefix
        self.accounts = accounts
        self.regions = regions
        self.kinds = kinds
        self.tasks = tasks
        self.trail_conn_id = trail_conn_id

    def find_trail(self, hook: CloudTrailHook) -> tuple[str, str, TrailSettings | None]:
        """Return the bucket and the prefix, and the trail's settings if its ARN is known.

        :raises PlanError: no trail is configured, or two are
        """
        given = {"trail": self.trail, "trail_bucket": self.trail_bucket, "trail_prefix": self.trail_prefix}
        if not self.trail and not self.trail_bucket:
            given = {name: value or read_setting(None, f"cloudtrail_{name}") for name, value in given.items()}
        arn, bucket, prefix = given.values()
        if arn and self.trail_bucket:
            raise PlanError(
                "Both trail and trail_bucket are given: give the trail's ARN, or its bucket and prefix."
            )
        if arn:
            settings = hook.read_trail(arn)
            return settings.bucket, settings.prefix, settings
        if not bucket:
            raise PlanError(
                "No trail is configured: set the Airflow variable cloudtrail_trail to the trail's ARN, or "
                "cloudtrail_trail_bucket (and cloudtrail_trail_prefix) to its bucket and prefix, or give them as "
                "params of the run."
            )
        return bucket, prefix, None

    def read_selection(self) -> Selection:
        """Return the chosen accounts, regions and kinds of event.

        :raises PlanError: a name cannot be one
        """
        from cloudtrail_elasticsearch.sources.trail.listing import Selection

        chosen: dict[str, list[str]] = {}
        for name, given in {"accounts": self.accounts, "regions": self.regions, "kinds": self.kinds}.items():
            chosen[name] = read_names(given, f"cloudtrail_trail_{name}")
            fits = re.compile(TRAIL_PARAMS[name]["items"]["pattern"]).fullmatch
            # A variable has no form that checks it, and a misspelt account would not be left out.
            if wrong := [each for each in chosen[name] if not fits(each)]:
                raise PlanError(
                    f"{name} has {safe_text(wrong[0])!r}: correct the run's param or the Airflow variable "
                    f"cloudtrail_trail_{name}; an example is {TRAIL_PARAMS[name]['examples'][0]}."
                )
        return Selection(**chosen)
