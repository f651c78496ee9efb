"""The DAGs' params, with the JSON schemas that Airflow builds the Trigger form from."""

from __future__ import annotations

from typing import Any, Final

from cloudtrail_elasticsearch.core.coverage.accounts import ACCOUNT_PATTERN, ORGANIZATION
from cloudtrail_elasticsearch.core.coverage.source import CATEGORIES
from cloudtrail_elasticsearch.core.documents.own_events import OwnEvents
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES
from cloudtrail_elasticsearch.core.index.index_pattern import DEFAULT_INDEX
from cloudtrail_elasticsearch.core.index.index_settings import MOST_SHARDS
from cloudtrail_elasticsearch.staging import DEFAULT_PREFIX

SETTLE_MINUTES: Final = 30
"""CloudTrail usually delivers events within 15 minutes, but AWS does not guarantee it.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
"""

TASKS: Final = 16
"""As many tasks of a DAG as Airflow runs at once by default ([core] max_active_tasks_per_dag): more would wait."""

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
"""The regions that are enabled in every account: the suggestions of the Trigger form.

Opt-in regions are loaded too; to choose one, write it in the run's conf (JSON).

https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
"""

DEFAULT_CATEGORIES: Final = ("management",)

OVERLAP_MINUTES: Final = 15
"""A live run looks so much time up again, because CloudTrail usually delivers events within 15 minutes."""

WORK_MINUTES: Final = 4
"""A live run ends before the next one begins, five minutes later."""

_INDEX_PARAMS: Final[dict[str, dict[str, Any]]] = {
    "shards": {
        "default": None,
        "type": ["null", "integer"],
        "minimum": 1,
        "maximum": MOST_SHARDS,
        "title": "Primary shards",
        "description": "Of indices that the run creates. Empty: the server's default. A @custom component "
        "prevails.",
    },
    "replicas": {
        "default": None,
        "type": ["null", "integer"],
        "minimum": 0,
        "maximum": MOST_SHARDS,
        "title": "Replicas",
        "description": "Copies of each shard of indices that the run creates. Empty: the server's default. A "
        "@custom component prevails.",
    },
    "lifecycle": {
        "default": None,
        "type": ["null", "string"],
        "pattern": "^[^,/\\s]*$",
        "title": "Lifecycle policy",
        "description": "The name of an ILM or ISM policy for indices that the run creates. Empty: none.",
    },
    "pipeline": {
        "default": None,
        "type": ["null", "string"],
        "pattern": "^[^,/\\s]*$",
        "title": "Ingest pipeline",
        "description": "The name of a pipeline that the server runs for all documents of indices that the run "
        "creates. Empty: none. A @custom component prevails.",
    },
}

INDEX_SETTINGS: Final = tuple(_INDEX_PARAMS)
"""The params that only affect indices that a run creates."""

PARAMS: Final[dict[str, dict[str, Any]]] = {
    "start": {
        "default": None,
        "type": ["null", "string"],
        "format": "date",
        "title": "First day",
        "description": "The first day to load (UTC). Empty: the day of the run's data interval.",
    },
    "end": {
        "default": None,
        "type": ["null", "string"],
        "format": "date",
        "title": "Day after the last",
        "description": "The day after the last day to load (UTC); today at the latest. Empty: load one day.",
    },
    "accounts": {
        "default": [],
        "type": ["null", "array"],
        "items": {"type": "string", "pattern": ACCOUNT_PATTERN},
        "examples": [ORGANIZATION, "123456789012", "-123456789012"],
        "title": "Accounts",
        "description": "The ids of the accounts to load; organization: all active accounts of the organization. A "
        "minus before an id leaves the account out. Empty: the Airflow variable cloudtrail_accounts, or the "
        "account of the AWS connection.",
    },
    "categories": {
        "default": list(DEFAULT_CATEGORIES),
        "type": ["null", "array"],
        "items": {"type": "string", "enum": list(CATEGORIES)},
        "examples": list(CATEGORIES),
        "title": "Categories",
        "description": "The categories of events to look up: management, insight, or both. Empty: management.",
    },
    "regions": {
        "default": [],
        "type": ["null", "array"],
        "items": {"type": "string", "pattern": "^[a-z]{2}(-[a-z]+)+-[0-9]+$"},
        "examples": list(DEFAULT_REGIONS),
        "title": "Regions",
        "description": "The regions to load. Empty: every region that is enabled for an account.",
    },
    "tasks": {
        "default": TASKS,
        "type": "integer",
        "minimum": 1,
        "maximum": 1000,
        "title": "Tasks of a day",
        "description": "The maximum number of batches for each day. Each batch has two tasks.",
    },
    "prefix": {
        "default": DEFAULT_PREFIX,
        "type": "string",
        "pattern": "^[A-Za-z0-9!_.*'()/=-]*$",
        "title": "Staging prefix",
        "description": "The prefix of all keys in the staging bucket.",
    },
    "index": {
        "default": DEFAULT_INDEX,
        "type": "string",
        "minLength": 1,
        "title": "Index",
        "description": "The index name. %Y, %m and %d stand for the event's date; they are optional.",
    },
    "mapping": {
        "default": "typed",
        "type": "string",
        "enum": list(STRATEGIES),
        "title": "Mapping",
        "description": "typed: declared fields; the rest goes to overflow. flattened: one flat field "
        "for each open object.",
    },
    "ecs": {
        "default": True,
        "type": "boolean",
        "title": "ECS fields",
        "description": "Also write the event's envelope to the fields of the Elastic Common Schema.",
    },
    "texts": {
        "default": False,
        "type": "boolean",
        "title": "Parameters as texts",
        "description": "Also index requestParameters, responseElements and the other two open objects as one text "
        "each, for detection rules that search in all parameters of a call.",
    },
    "own_events": {
        "default": "keep",
        "type": "string",
        "enum": list(OwnEvents),
        "title": "The loader's own events",
        "description": "The loader's LookupEvents calls are events too: keep them, mark them, or leave them out.",
    },
    **_INDEX_PARAMS,
    "settle_minutes": {
        "default": SETTLE_MINUTES,
        "type": "integer",
        "minimum": 0,
        "maximum": 1440,
        "title": "Minutes to settle",
        "description": "Minutes to wait after the end of a day, because CloudTrail delivers events late.",
    },
    "force": {
        "default": False,
        "type": "boolean",
        "title": "Load again",
        "description": "Fetch and load again even if already complete.",
    },
    "replay": {
        "default": False,
        "type": "boolean",
        "title": "Replay the quarantine",
        "description": "Load only the quarantined events of these days again, with the current rules.",
    },
    "verify": {
        "default": False,
        "type": "boolean",
        "title": "Verify",
        "description": "Fetch and load nothing; count the documents of these days on the server again.",
    },
}

LATE_PARAMS: Final[dict[str, dict[str, Any]]] = {
    # Without `force`, `replay` and `verify`: this DAG only adds events to loaded days.
    **{
        name: PARAMS[name]
        for name in (
            *("start", "end", "accounts", "categories", "regions", "tasks"),
            *("prefix", "index", "mapping", "ecs", "texts", "own_events", *INDEX_SETTINGS),
        )
    },
    "days_ago": {
        "default": 1,
        "type": "integer",
        "minimum": 0,
        # The interval begins yesterday, so that day 89 before it is already older than HISTORY.
        "maximum": 88,
        "title": "Days ago",
        "description": "The day to check for late events, counted back from the start of the run's data interval.",
    },
}
"""The params of the DAG that loads late events."""

LIVE_PARAMS: Final[dict[str, dict[str, Any]]] = {
    **{name: PARAMS[name] for name in ("accounts", "categories", "regions")},
    "tasks": PARAMS["tasks"]
    | {"title": "Tasks", "description": "The maximum number of batches; about 200 regions share a task."},
    **{name: PARAMS[name] for name in ("prefix", "index", "mapping", "ecs", "texts")},
    "own_events": PARAMS["own_events"]
    | {
        "default": OwnEvents.LEAVE_OUT.value,
        "description": "The loader's LookupEvents calls are events too, one for each region and run: keep them, "
        "mark them, or leave them to the daily run.",
    },
    **_INDEX_PARAMS,
    "overlap_minutes": {
        "default": OVERLAP_MINUTES,
        "type": "integer",
        "minimum": 0,
        "maximum": 720,
        "title": "Minutes of overlap",
        "description": "Minutes before the watermark that are looked up again, because CloudTrail delivers late.",
    },
    "work_minutes": {
        "default": WORK_MINUTES,
        "type": "integer",
        "minimum": 1,
        "maximum": 1440,
        "title": "Minutes of work",
        "description": "Minutes after which a run begins no further page; the next run goes on.",
    },
    "until": {
        "default": None,
        "type": ["null", "string"],
        "format": "date-time",
        "title": "Until",
        "description": "Load only the events before this time (ISO 8601), which is the present for the run. "
        "Empty: now.",
    },
}
"""The params of the DAG that follows its accounts within minutes."""
