"""The operation of an event: mostly a popular one, else one of a long tail over all of AWS's operations."""

from __future__ import annotations

import bisect
import functools
import itertools
from typing import Final

from devstack.simulator import models
from devstack.simulator.calls import service_calls
from devstack.simulator.draw import Draw, digest
from devstack.simulator.regions import GLOBAL_REGION

CONSOLE_LOGIN: Final = ("signin", "ConsoleLogin")
SERVICE_EVENT: Final = ("kms", "RotateKey")
TAIL: Final = ("", "")

_TAIL_SERVICES_A_DAY: Final = 32
_UNHEARD_OF: Final = 0.05

_POPULAR: Final[dict[str, str]] = {
    "sts": "AssumeRole 130, GetCallerIdentity 20, AssumeRoleWithWebIdentity 15, GetSessionToken 2",
    "ec2": "DescribeInstances 60, DescribeInstanceStatus 25, DescribeVolumes 20, DescribeSecurityGroups 20,"
    " DescribeNetworkInterfaces 20, DescribeTags 15, DescribeSubnets 15, DescribeVpcs 12, DescribeImages 10,"
    " DescribeRegions 8, DescribeSnapshots 10, DescribeAddresses 8, DescribeRouteTables 8, RunInstances 3,"
    " TerminateInstances 3, CreateTags 8, AuthorizeSecurityGroupIngress 2, CreateNetworkInterface 5,"
    " DeleteNetworkInterface 5, DescribeLaunchTemplateVersions 8, CreateSnapshot 4, CreateFleet 2",
    "kms": "Decrypt 60, GenerateDataKey 40, DescribeKey 15, ListAliases 5, CreateGrant 6, RetireGrant 3",
    "logs": "CreateLogStream 50, DescribeLogGroups 25, DescribeLogStreams 15, CreateLogGroup 2",
    "s3": "ListBuckets 15, GetBucketAcl 20, GetBucketLocation 15, GetBucketPolicy 8, GetBucketEncryption 6,"
    " GetBucketTagging 6, PutBucketPolicy 1, CreateBucket 1, PutBucketTagging 1",
    "lambda": "ListFunctions 12, GetFunction 10, GetPolicy 4, UpdateFunctionCode 3, UpdateFunctionConfiguration 2,"
    " ListTags 4, CreateFunction 1",
    "ssm": "DescribeInstanceProperties 5, ListAssociations 40, GetParameters 12, GetParameter 12,"
    " DescribeInstanceInformation 10, SendCommand 2, StartSession 1",
    "cloudwatch": "DescribeAlarms 25, GetMetricData 12, ListMetrics 6, PutMetricAlarm 3",
    "secretsmanager": "GetSecretValue 15, DescribeSecret 6, ListSecrets 3",
    "dynamodb": "DescribeTable 20, ListTables 5, DescribeContinuousBackups 4, UpdateTable 1",
    "autoscaling": "DescribeAutoScalingGroups 20, DescribeScalingActivities 6, SetDesiredCapacity 1,"
    " CreateLaunchConfiguration 1",
    "elbv2": "DescribeTargetHealth 15, DescribeLoadBalancers 12, DescribeTargetGroups 10, RegisterTargets 2",
    "rds": "DescribeDBInstances 15, DescribeDBClusters 8, ListTagsForResource 8, CreateDBSnapshot 1",
    "ecr": "GetAuthorizationToken 15, BatchGetImage 12, DescribeRepositories 5, PutImage 1",
    "ecs": "DescribeServices 10, DescribeTasks 10, ListTasks 6, RunTask 2, DiscoverPollEndpoint 8",
    "eks": "DescribeCluster 8, ListClusters 4, DescribeNodegroup 4",
    "config": "PutEvaluations 10, DescribeConfigurationRecorders 4, SelectResourceConfig 3",
    "cloudformation": "DescribeStacks 12, DescribeStackEvents 5, ListStacks 3, CreateStack 1",
    "cloudtrail": "LookupEvents 8, DescribeTrails 5, GetTrailStatus 5",
    "sqs": "GetQueueAttributes 6, ListQueues 4, CreateQueue 1",
    "sns": "GetTopicAttributes 3, ListTopics 3",
    "events": "ListRules 4, DescribeRule 3, PutRule 1",
    "es": "DescribeElasticsearchDomain 2, ListDomainNames 2",
    "resourcegroupstaggingapi": "GetResources 8",
    "glue": "GetTable 10, GetDatabases 5, GetPartitions 5",
    "athena": "StartQueryExecution 4, GetQueryExecution 8",
    "iam": "ListRoles 25, GetRole 25, ListAttachedRolePolicies 20, GetPolicyVersion 15, ListUsers 12, GetUser 8,"
    " ListAccessKeys 8, GetAccountSummary 4, GetAccountAuthorizationDetails 2, CreateRole 2, AttachRolePolicy 2,"
    " CreateAccessKey 1, PutRolePolicy 2, GenerateServiceLastAccessedDetails 3",
    "cloudfront": "ListDistributions 4, GetDistribution 3, CreateInvalidation 3, UpdateDistribution 1",
    "route53": "ListHostedZones 6, ListResourceRecordSets 6, ChangeResourceRecordSets 4",
    "organizations": "DescribeOrganization 6, ListAccounts 4",
    "support": "DescribeTrustedAdvisorChecks 3",
    "health": "DescribeEvents 3, DescribeEventAggregates 4",
}
_UNMODELLED: Final = ((CONSOLE_LOGIN, 6), (SERVICE_EVENT, 2), (TAIL, 150))


def choose(draw: Draw, seed: int, account: str, region: str, day: int) -> tuple[str, str]:
    """Return the service and operation of an event, or one of the constants for a record without a call.

    Events of global services are recorded in us-east-1 only.
    """
    is_global = region == GLOBAL_REGION
    choices, up_to = _popular(GLOBAL_REGION if is_global else "")
    choice = choices[bisect.bisect(up_to, draw.real() * up_to[-1])]
    return _from_tail(draw, tail_services(seed, account, day, region)) if choice == TAIL else choice


@functools.lru_cache(maxsize=256)
def tail_services(seed: int, account: str, day: int, region: str) -> tuple[str, ...]:
    """Return the rarely used services of an account on a day. Within some weeks all services occur.

    They are few on one day and nearly the same in all regions, because a service's model takes memory.
    """
    names = models.services()
    draw = Draw(int.from_bytes(digest("tail", seed, account, day), "big"))
    chosen = (draw.pick(names) for _ in range(_TAIL_SERVICES_A_DAY))
    return tuple(name for name in chosen if region == GLOBAL_REGION or name not in models.GLOBAL_SERVICES)


def _from_tail(draw: Draw, services: tuple[str, ...]) -> tuple[str, str]:
    for _ in range(4):
        service = draw.pick(services)
        operation = draw.pick(service_calls(service).operations)
        if not models.is_data_event(service, operation):
            return service, operation
    return ("ec2", "DescribeInstances")


@functools.cache
def popularity() -> dict[tuple[str, str], int]:
    """Return the relative frequency of each of the popular operations."""
    return {
        (service, name): int(weight)
        for service, listed in _POPULAR.items()
        for name, weight in (item.split() for item in listed.split(","))
    }


def likelihood(service: str, operation: str) -> float:
    """Return an estimate of an operation's frequency, on the scale of `popularity`.

    An operation that is not popular gets a share of its service's popularity, and all operations share the tail's.
    """
    shared = _popularity_of_services().get(service, 0) / len(models.service_model(service).operation_names)
    return popularity().get((service, operation), 0) + shared + _UNHEARD_OF


@functools.cache
def _popularity_of_services() -> dict[str, int]:
    totals: dict[str, int] = {}
    for (service, _), weight in popularity().items():
        totals[service] = totals.get(service, 0) + weight
    return totals


@functools.cache
def _popular(region: str) -> tuple[tuple[tuple[str, str], ...], tuple[int, ...]]:
    weighted = [
        (choice, weight)
        for choice, weight in popularity().items()
        if region == GLOBAL_REGION or choice[0] not in models.GLOBAL_SERVICES
    ]
    weighted += [
        (choice, weight) for choice, weight in _UNMODELLED if region == GLOBAL_REGION or choice != CONSOLE_LOGIN
    ]
    return tuple(choice for choice, _ in weighted), tuple(itertools.accumulate(weight for _, weight in weighted))
