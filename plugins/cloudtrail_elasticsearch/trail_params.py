"""The params of the DAGs that load a trail, as JSON schemas."""

from __future__ import annotations

from typing import Any, Final

from cloudtrail_elasticsearch.params import INDEX_SETTINGS, LATE_PARAMS, LIVE_PARAMS, PARAMS

TRAIL_SETTLE_MINUTES: Final = 120
"""The digest of a day's last hour ends up to an hour after the day, and is delivered up to an hour later.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
"""

_TRAIL_NAMES: Final[dict[str, dict[str, Any]]] = {
    "start": PARAMS["start"]
    | {"description": "The first day of delivery to load (UTC). Empty: the day of the run's data interval."},
    "end": PARAMS["end"],
    "trail": {
        "default": "",
        "type": "string",
        "pattern": "^(arn:[a-z-]+:cloudtrail:[a-z0-9-]+:[0-9]{12}:trail/[A-Za-z0-9._-]+)?$",
        "title": "Trail",
        "description": "The trail's ARN. Empty: the bucket below, or the Airflow variable cloudtrail_trail.",
    },
    "trail_bucket": {
        "default": "",
        "type": "string",
        "pattern": "^([a-z0-9][a-z0-9.-]+[a-z0-9])?$",
        "title": "Trail's bucket",
        "description": "The bucket that the trail writes to. Empty: the Airflow variable cloudtrail_trail_bucket.",
    },
    "trail_prefix": {
        "default": "",
        "type": "string",
        "title": "Trail's prefix",
        "description": "The key prefix of the trail in its bucket, if it has one.",
    },
    "accounts": {
        "default": [],
        "type": ["null", "array"],
        "items": {"type": "string", "pattern": "^-?[0-9]{12}$"},
        "examples": ["123456789012", "-123456789012"],
        "title": "Accounts",
        "description": "The ids of the accounts to load. A minus before an id leaves the account out. Empty: the "
        "Airflow variable cloudtrail_trail_accounts, or every account in the bucket.",
    },
    "regions": PARAMS["regions"]
    | {
        "description": "The regions to load. Empty: the Airflow variable cloudtrail_trail_regions, or every "
        "region in the bucket."
    },
    "kinds": {
        "default": [],
        "type": ["null", "array"],
        "items": {"type": "string", "pattern": "^CloudTrail(-[A-Za-z]+)?$"},
        "examples": ["CloudTrail", "CloudTrail-Insight"],
        "title": "Kinds of event",
        "description": "The kinds of event to load, by the names of their folders. Empty: the Airflow variable "
        "cloudtrail_trail_kinds, or every kind.",
    },
    "tasks": PARAMS["tasks"],
}

_DOCUMENTS: Final = ("index", "mapping", "ecs", "texts", "own_events", *INDEX_SETTINGS)

TRAIL_PARAMS: Final[dict[str, dict[str, Any]]] = {
    **_TRAIL_NAMES,
    **{name: PARAMS[name] for name in ("prefix", *_DOCUMENTS)},
    "settle_minutes": PARAMS["settle_minutes"]
    | {
        "default": TRAIL_SETTLE_MINUTES,
        "description": "Minutes to wait after the end of a day for its last log files and digests.",
    },
    "force": PARAMS["force"] | {"description": "List and load again even if already complete."},
    "replay": PARAMS["replay"],
    "verify": PARAMS["verify"]
    | {"description": "List and load nothing; read the log files, and count their documents on the server again."},
}
"""The params of the DAG that loads a trail."""

LIVE_TRAIL_PARAMS: Final[dict[str, dict[str, Any]]] = {
    **{name: param for name, param in _TRAIL_NAMES.items() if name not in {"start", "end"}},
    "tasks": LIVE_PARAMS["tasks"]
    | {"description": "The maximum number of batches; about 200 folders share a task."},
    **{name: PARAMS[name] for name in _DOCUMENTS},
    "overlap_minutes": LIVE_PARAMS["overlap_minutes"]
    | {
        "description": "Minutes before the watermark that are listed again, because a log file can appear after a "
        "later one."
    },
    "work_minutes": LIVE_PARAMS["work_minutes"]
    | {"description": "Minutes after which a run begins no further log files; the next run goes on."},
    "until": LIVE_PARAMS["until"]
    | {
        "description": "Load only the log files that were delivered before this time (ISO 8601), which is the "
        "present for the run. Empty: now."
    },
}
"""The params of the DAG that follows a trail within minutes."""

LATE_FILES_PARAMS: Final[dict[str, dict[str, Any]]] = {
    **_TRAIL_NAMES,
    **{name: PARAMS[name] for name in ("prefix", *_DOCUMENTS)},
    "days_ago": LATE_PARAMS["days_ago"]
    | {
        "maximum": 366,
        "description": "The day to list again, counted back from the start of the run's data interval.",
    },
}
"""The params of the DAG that loads late log files."""
