"""The DAG's params, with the JSON schema that the Trigger form is made of."""

from __future__ import annotations

from typing import Any, Final

from cloudtrail_elasticsearch.core.mapping import DEFAULT_INDEX
from cloudtrail_elasticsearch.core.own import OwnEvents
from cloudtrail_elasticsearch.core.shape import STRATEGIES
from cloudtrail_elasticsearch.staging import DEFAULT_PREFIX

SETTLE_MINUTES: Final = 30
"""CloudTrail delivers within 15 minutes as a rule, and says that this is no promise.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
"""

DEFAULT_REGIONS: Final = (
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
)
"""The regions that every account has; those opted in to are loaded too, and chosen in the run's conf (JSON).

https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
"""

PARAMS: Final[dict[str, dict[str, Any]]] = {
    "start": {
        "default": None,
        "type": ["null", "string"],
        "format": "date",
        "title": "First day",
        "description": "The first day to load, UTC. Empty: the day of the run's data interval.",
    },
    "end": {
        "default": None,
        "type": ["null", "string"],
        "format": "date",
        "title": "Day after the last",
        "description": "The first day to leave out, UTC; today at the latest. Empty: one day is loaded.",
    },
    "regions": {
        "default": [],
        "type": ["null", "array"],
        "items": {"type": "string", "pattern": "^[a-z]{2}(-[a-z]+)+-[0-9]+$"},
        "examples": list(DEFAULT_REGIONS),
        "title": "Regions",
        "description": "The regions to load. Empty: every region that is enabled for the account.",
    },
    "prefix": {
        "default": DEFAULT_PREFIX,
        "type": "string",
        "pattern": "^[A-Za-z0-9!_.*'()/=-]*$",
        "title": "Staging prefix",
        "description": "The key prefix in the staging bucket.",
    },
    "index": {
        "default": DEFAULT_INDEX,
        "type": "string",
        "minLength": 1,
        "title": "Index",
        "description": "The index name, with %Y, %m and %d of the event's own time; a fixed name works too.",
    },
    "mapping": {
        "default": "typed",
        "type": "string",
        "enum": list(STRATEGIES),
        "title": "Mapping",
        "description": "typed: declared fields of their own, the rest in overflow. flattened: few fields.",
    },
    "ecs": {
        "default": True,
        "type": "boolean",
        "title": "ECS names",
        "description": "The envelope under the names of the Elastic Common Schema too.",
    },
    "own_events": {
        "default": "keep",
        "type": "string",
        "enum": list(OwnEvents),
        "title": "The loader's own events",
        "description": "Its LookupEvents calls are events, too: keep them, mark them by a tag, or leave them out.",
    },
    "settle_minutes": {
        "default": SETTLE_MINUTES,
        "type": "integer",
        "minimum": 0,
        "maximum": 1440,
        "title": "Minutes to settle",
        "description": "How long to wait after the end of a day, as CloudTrail delivers late.",
    },
    "force": {
        "default": False,
        "type": "boolean",
        "title": "Do it again",
        "description": "Look up and load again what is staged and loaded already.",
    },
    "replay": {
        "default": False,
        "type": "boolean",
        "title": "Replay the quarantine",
        "description": "Load just the quarantined events of these days again, with today's rules.",
    },
    "verify": {
        "default": False,
        "type": "boolean",
        "title": "Verify",
        "description": "Look up and load nothing: ask the server again what it holds of these days.",
    },
}

LATE_PARAMS: Final[dict[str, dict[str, Any]]] = {
    **{
        name: PARAMS[name]
        for name in ("start", "end", "regions", "prefix", "index", "mapping", "ecs", "own_events")
    },
    "days_ago": {
        "default": 1,
        "type": "integer",
        "minimum": 0,
        "maximum": 89,
        "title": "Days ago",
        "description": "Which day to look at again: so many days before the run's data interval begins.",
    },
}
"""The params of the DAG that looks for late events."""
