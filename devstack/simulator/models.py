"""AWS's services and operations, as botocore describes them."""

from __future__ import annotations

import functools
import gzip
import re
from pathlib import Path
from typing import Any, Final

import botocore
import orjson
from botocore.model import OperationModel, ServiceModel

GLOBAL_SERVICES: Final = frozenset(
    {
        "account", "artifact", "billing", "budgets", "ce", "chatbot", "cloudfront", "cur", "globalaccelerator",
        "health", "iam", "networkmanager", "organizations", "route53", "route53domains", "shield", "support",
        "trustedadvisor", "waf",
    }
)  # fmt: skip
"""Services with one endpoint for the world, whose events are recorded in us-east-1.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html (global service events)
"""

_DATA: Final = Path(botocore.__file__).parent / "data"
_SERVICES_IN_MEMORY: Final = 96

_READING = re.compile(
    r"(Get|List|Describe|Head|Search|Lookup|BatchGet|BatchDescribe|Query|Scan|Select|Check|Validate|Simulate"
    r"|Preview|Estimate|Test|Filter|Discover|View|Count|Detect|Evaluate|Compare|AssumeRole|Decrypt|Encrypt"
    r"|GenerateDataKey|GenerateRandom|Verify|Retrieve|Read|Is[A-Z])"
)
_DATA_PLANE = re.compile(
    r"s3:(\w*Object\w*|\w*Multipart\w*|UploadPart\w*)|lambda:Invoke\w*"
    r"|dynamodb:(\w*Item\w*|Query|Scan|Execute\w*|Batch\w*)"
    r"|sqs:(Send|Receive|DeleteMessage|ChangeMessage)\w*|sns:Publish\w*|kinesis:(PutRecord|GetRecords|GetShard)\w*"
    r"|firehose:PutRecord\w*|[\w-]+-(data|runtime|streams):\w+|logs:(PutLogEvents|GetLogEvents)"
    r"|cloudwatch:PutMetricData|(ebs|neptunedata|rds-data|timestream-query|workmailmessageflow):\w+"
)
_LAMBDA_SECOND_VERSIONS: Final = frozenset(
    {
        "GetFunction", "GetFunctionConfiguration", "UpdateFunctionCode", "UpdateFunctionConfiguration",
        "AddPermission", "RemovePermission", "GetPolicy",
    }
)  # fmt: skip


@functools.cache
def services() -> tuple[str, ...]:
    """Return the names botocore has for its services, in alphabetical order."""
    return tuple(sorted(folder.name for folder in _DATA.iterdir() if any(folder.glob("*/service-2.json.gz"))))


@functools.lru_cache(maxsize=_SERVICES_IN_MEMORY)
def service_model(service: str) -> ServiceModel:
    """Return a service's model without its documentation, which is most of its size.

    The files are read without botocore's loader: it keeps every file it has read and adds the user's own models.

    :raises KeyError: botocore knows no such service
    """
    versions = sorted((_DATA / service).glob("*/service-2.json.gz"))
    if not versions:
        raise KeyError(f"botocore knows no service {service!r}")
    description = orjson.loads(gzip.decompress(versions[-1].read_bytes()))
    for part in (*description["shapes"].values(), *description["operations"].values()):
        part.pop("documentation", None)
        for member in part.get("members", {}).values():
            if isinstance(member, dict):
                member.pop("documentation", None)
    return ServiceModel(description, service)


@functools.cache
def operations() -> tuple[tuple[str, str], ...]:
    """Return every (service, operation) that botocore knows: about 20,000. Takes some seconds the first time."""
    return tuple((service, name) for service in services() for name in service_model(service).operation_names)


def operation_model(service: str, operation: str) -> OperationModel:
    """Return an operation's model.

    :raises KeyError: botocore knows no such service
    :raises botocore.model.OperationNotFoundError: the service has no such operation
    """
    return service_model(service).operation_model(operation)


def event_source(model: ServiceModel) -> str:
    """Return the eventSource of a service, which is the name it signs requests with."""
    name: str = model.metadata.get("signingName") or model.metadata["endpointPrefix"]
    return f"{name.lower()}.amazonaws.com"


def event_name(model: OperationModel) -> str:
    """Return the eventName of an operation: Lambda adds its API version, as in CreateFunction20150331."""
    name: str = model.name
    if model.service_model.service_name != "lambda":
        return name
    version = str(model.http["requestUri"]).split("/")[1].replace("-", "")
    return f"{name}{version}v2" if name in _LAMBDA_SECOND_VERSIONS else f"{name}{version}"


def api_version(model: ServiceModel) -> str | None:
    """Return the apiVersion that a few services write into their events; None for all others."""
    version = str(model.api_version)
    written: dict[str, Any] = {
        "cloudfront": version.replace("-", "_"),
        "dynamodb": version.replace("-", "_") if model.service_name == "dynamodbstreams" else version,
        "efs": version,
        "elb": version,
        "elbv2": version,
        "appmesh": version,
        "rolesanywhere": version.replace("-", ""),
    }
    return written.get(str(model.service_name))


def is_read_only(operation: str) -> bool:
    """Return the value of readOnly, as far as an operation's name shows it."""
    return _READING.match(operation) is not None


def is_data_event(service: str, operation: str) -> bool:
    """Return whether CloudTrail records an operation as a data event, which LookupEvents never returns."""
    return _DATA_PLANE.fullmatch(f"{service}:{operation}") is not None
