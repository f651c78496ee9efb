"""An example of an aggregated event, of an Insights event and of a network activity event.

Each follows the schema on AWS's page; the accounts are not real.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-aggregated-events.html
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-insights-fields-trails.html
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

from typing import Any, Final

ACCOUNT: Final = "123456789012"

AGGREGATED: Final[dict[str, Any]] = {
    "eventVersion": "1.0",
    "accountId": ACCOUNT,
    "eventId": "5f0c2a6e-31d7-4f0e-9a55-6b1f3f8c7d21",
    "eventCategory": "Aggregated",
    "eventType": "AwsAggregatedEvent",
    "awsRegion": "eu-west-1",
    "eventSource": "s3.amazonaws.com",
    "timeWindow": {
        "windowStart": "2026-10-31T23:55:00Z",
        "windowEnd": "2026-11-01T00:00:00Z",
        "windowSize": "PT5M",
    },
    "summary": {
        "primaryDimension": {
            "dimension": "resourceARN",
            "statistics": [{"name": "arn:aws:s3:::ledger", "value": 412}],
            "aggregationType": "Count",
        },
        "details": [
            {
                "dimension": "eventName",
                "statistics": [{"name": "GetObject", "value": 400}, {"name": "PutObject", "value": 12}],
                "aggregationType": "Count",
            },
            {
                "dimension": "errorCode",
                "statistics": [{"name": "AccessDenied", "value": 3}],
                "aggregationType": "Count",
            },
        ],
    },
}

INSIGHT: Final[dict[str, Any]] = {
    "eventVersion": "1.09",
    "eventTime": "2026-11-20T01:02:00Z",
    "awsRegion": "eu-west-1",
    "eventID": "0f7b4d7c-7a8a-4b53-8d0b-7e51a1c0f9b4",
    "eventType": "AwsCloudTrailInsight",
    "recipientAccountId": ACCOUNT,
    "sharedEventID": "c3f1a7de-5a52-4f9e-8f43-2d4f5c1f9e77",
    "insightDetails": {
        "state": "End",
        "eventSource": "kms.amazonaws.com",
        "eventName": "Decrypt",
        "insightType": "ApiErrorRateInsight",
        "errorCode": "AccessDeniedException",
        "sourceEventCategory": "Management",
        "insightSource": "arn:aws:cloudtrail:eu-west-1:123456789012:trail/all",
        "insightContext": {
            "statistics": {
                "baseline": {"average": 0.0000882145},
                "insight": {"average": 12.5},
                "insightDuration": 7,
                "baselineDuration": 11336,
            },
            "attributions": [
                {
                    "attribute": "userIdentityArn",
                    "insight": [
                        {"value": "arn:aws:sts::123456789012:assumed-role/report", "average": 12},
                        {"value": "arn:aws:sts::123456789012:assumed-role/batch", "average": 0.5},
                    ],
                    "baseline": [
                        {"value": "arn:aws:sts::123456789012:assumed-role/batch", "average": 0.0000882145}
                    ],
                },
                {
                    "attribute": "userAgent",
                    "insight": [{"value": "report/2.1", "average": 12.5}],
                    "baseline": [],
                },
            ],
        },
    },
    "eventCategory": "Insight",
}

NETWORK_ACTIVITY: Final[dict[str, Any]] = {
    "eventVersion": "1.11",
    "userIdentity": {"type": "AWSAccount", "principalId": "AROAEXAMPLE:job", "accountId": "210987654321"},
    "eventTime": "2026-11-20T01:02:03Z",
    "eventSource": "s3.amazonaws.com",
    "eventName": "PutObject",
    "awsRegion": "eu-west-1",
    "sourceIPAddress": "10.0.7.12",
    "errorCode": "VpceAccessDenied",
    "errorMessage": "The request was denied due to a VPC endpoint policy",
    "requestParameters": {"bucketName": "ledger", "key": "2026/11/20.csv"},
    "requestID": "d2b6f0a4-24a5-4f5d-9d2e-6f8d2f9f8a10",
    "eventID": "a52f5c0e-6a0e-4f54-a3a1-1d3c54b3f1b2",
    "eventType": "AwsVpceEvent",
    "recipientAccountId": ACCOUNT,
    "sharedEventID": "7d0c6c0c-3f1c-4f37-9a6f-4a3d6c0d7f11",
    "vpcEndpointId": "vpce-0123456789abcdef0",
    "vpcEndpointAccountId": ACCOUNT,
    "eventCategory": "NetworkActivity",
}

KINDS: Final = {"aggregated": AGGREGATED, "insight": INSIGHT, "network activity": NETWORK_ACTIVITY}
IDS: Final = {name: record.get("eventID") or record["eventId"] for name, record in KINDS.items()}
