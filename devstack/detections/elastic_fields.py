"""The fields of Elastic's integration, each as a function of the raw CloudTrail record.

It is made from what Elastic's ingest pipeline does, not from our documents: a proof must not lean on what it
tests.
https://github.com/elastic/integrations/tree/main/packages/aws/data_stream/cloudtrail
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, Final

from devstack.detections.errors import RuleError
from devstack.detections.values import read_path, read_scalars, show

Record = dict[str, Any]

_TERM: Final = 32_766
"""Characters; the pipeline flattens no object whose text is longer."""

_OBJECTS: Final = {
    "request_parameters": "requestParameters",
    "response_elements": "responseElements",
    "additional_eventdata": "additionalEventData",
    "service_event_details": "serviceEventDetails",
}

_PATHS: Final = {
    "@timestamp": "eventTime",
    "aws.cloudtrail.api_version": "apiVersion",
    "aws.cloudtrail.error_code": "errorCode",
    "aws.cloudtrail.error_message": "errorMessage",
    "aws.cloudtrail.event_category": "eventCategory",
    "aws.cloudtrail.event_type": "eventType",
    "aws.cloudtrail.event_version": "eventVersion",
    "aws.cloudtrail.management_event": "managementEvent",
    "aws.cloudtrail.read_only": "readOnly",
    "aws.cloudtrail.recipient_account_id": "recipientAccountId",
    "aws.cloudtrail.request_id": "requestID",
    "aws.cloudtrail.resources.account_id": "resources.accountId",
    "aws.cloudtrail.resources.arn": "resources.ARN",
    "aws.cloudtrail.resources.type": "resources.type",
    "aws.cloudtrail.session_credential_from_console": "sessionCredentialFromConsole",
    "aws.cloudtrail.user_identity.access_key_id": "userIdentity.accessKeyId",
    "aws.cloudtrail.user_identity.arn": "userIdentity.arn",
    "aws.cloudtrail.user_identity.invoked_by": "userIdentity.invokedBy",
    "aws.cloudtrail.user_identity.session_context.creation_date": (
        "userIdentity.sessionContext.attributes.creationDate"
    ),
    "aws.cloudtrail.user_identity.session_context.mfa_authenticated": (
        "userIdentity.sessionContext.attributes.mfaAuthenticated"
    ),
    "aws.cloudtrail.user_identity.session_context.session_issuer.account_id": (
        "userIdentity.sessionContext.sessionIssuer.accountId"
    ),
    "aws.cloudtrail.user_identity.session_context.session_issuer.arn": (
        "userIdentity.sessionContext.sessionIssuer.arn"
    ),
    "aws.cloudtrail.user_identity.session_context.session_issuer.principal_id": (
        "userIdentity.sessionContext.sessionIssuer.principalId"
    ),
    "aws.cloudtrail.user_identity.session_context.session_issuer.type": (
        "userIdentity.sessionContext.sessionIssuer.type"
    ),
    "aws.cloudtrail.user_identity.type": "userIdentity.type",
    "aws.cloudtrail.vpc_endpoint_id": "vpcEndpointId",
    "cloud.account.id": "userIdentity.accountId",
    "cloud.region": "awsRegion",
    "error.code": "errorCode",
    "error.message": "errorMessage",
    "event.action": "eventName",
    "event.id": "eventID",
    "event.provider": "eventSource",
    "group.id": "responseElements.group.groupId",
    "group.name": "requestParameters.groupName",
    "source.address": "sourceIPAddress",
    "tls.cipher": "tlsDetails.cipherSuite",
    "tls.client.server_name": "tlsDetails.clientProvidedHostHeader",
    "user.changes.name": "requestParameters.newUserName",
    "user.id": "userIdentity.principalId",
    "user.target.id": "responseElements.user.userId",
    "user.target.name": "requestParameters.userName",
    "user_agent.original": "userAgent",
}
"""Fields whose value is one of the record's own."""

_CONSTANTS: Final = {
    "cloud.provider": "aws",
    "data_stream.dataset": "aws.cloudtrail",
    "data_stream.namespace": "default",
    "data_stream.type": "logs",
    "event.dataset": "aws.cloudtrail",
    "event.kind": "event",
    "event.module": "aws",
}

_FROM_DATABASES: Final = ("source.as.", "source.geo.", "user_agent.name", "user_agent.os.", "user_agent.device.")
"""Fields that a database or a parser of user agents adds: without them, they have no value."""

_ENTITIES: Final = (
    "userIdentity.arn",
    "userIdentity.identityProvider",
    "userIdentity.principalId",
    "userIdentity.sessionContext.sessionIssuer.arn",
    "userIdentity.sessionContext.sessionIssuer.userName",
    "userIdentity.sessionContext.webIdFederationData.federatedProvider",
    "userIdentity.userName",
    "resources.ARN",
)
_ENTITIES_OF_POLICIES: Final = ("requestParameters.policyArn", "requestParameters.roleName")


class ElasticValues:
    """One event under Elastic's names; a name of the CloudTrail record itself is one of its paths.

    Fields that databases add (`_FROM_DATABASES`) have no value.
    """

    def __init__(self, record: Record) -> None:
        self._record = record

    def find(self, name: str) -> Iterable[Any]:
        """Return the values of a field.

        :raises RuleError: the name is neither a field of Elastic's pipeline nor of CloudTrail, or not in this
            module yet
        """
        if name in _PATHS:
            return self._read(_PATHS[name])
        if name in _CONSTANTS:
            return [_CONSTANTS[name]]
        if name in _DERIVED:
            return _DERIVED[name](self._record)
        if name.startswith("aws.cloudtrail.flattened."):
            return self._read_flattened(name.removeprefix("aws.cloudtrail.flattened."))
        if name.startswith(_FROM_DATABASES):
            return ()
        if name.partition(".")[0] in _OWN_NAMES:
            return self._read(name)
        raise RuleError(f"The reference has no value for the field {name}: add it to elastic_fields.py.")

    def find_all(self) -> Iterable[Any]:
        """Return every scalar of the record."""
        return read_scalars(self._record)

    def names(self) -> Iterable[str]:
        """Return the names of the fields, but for those below the flattened objects."""
        return (*_PATHS, *_CONSTANTS, *_DERIVED)

    def _read(self, path: str) -> Iterator[Any]:
        return (value for value in read_path(self._record, path) if value != "")

    def _read_flattened(self, path: str) -> Iterable[Any]:
        top, _, rest = path.partition(".")
        name = _OBJECTS.get(top, "")
        if len("".join(_read_text(self._record, name))) >= _TERM:
            return ()
        return self._read(f"{name}.{rest}")


def show_java(value: Any) -> str:
    """Return a value as Java shows it: ``{name=value, names=[a, b]}``, without nulls and empty texts."""
    if isinstance(value, dict):
        members = (f"{name}={show_java(each)}" for name, each in value.items() if not _is_empty(each))
        return f"{{{', '.join(members)}}}"
    if isinstance(value, list):
        return f"[{', '.join(show_java(each) for each in value if not _is_empty(each))}]"
    return show(value)


def _is_empty(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_empty, value.values()))
    if isinstance(value, list):
        return all(map(_is_empty, value))
    return value is None or value == ""


def _read_text(record: Record, name: str) -> list[str]:
    value = record.get(name)
    return [] if _is_empty(value) else [show_java(value)]


def _read_outcome(record: Record) -> list[str]:
    sign_in = list(read_path(record, "responseElements.ConsoleLogin"))
    if record.get("eventName") == "ConsoleLogin" and sign_in:
        return [show(sign_in[0]).lower()]
    return ["failure" if record.get("errorCode") or record.get("errorMessage") else "success"]


def _read_address(record: Record) -> list[str]:
    with suppress(ValueError):
        return [str(ip_address(record.get("sourceIPAddress", "")))]
    return []


def _read_user_name(record: Record) -> list[Any]:
    """Return the user's name, or the role's: an assumed role has no name of its own."""
    own = list(read_path(record, "userIdentity.userName"))
    return own or list(read_path(record, "userIdentity.sessionContext.sessionIssuer.userName"))


def _read_users(record: Record) -> Iterator[Any]:
    for path in ("userIdentity.userName", "requestParameters.userName", "requestParameters.newUserName"):
        yield from read_path(record, path)


def _read_entities(record: Record) -> Iterator[Any]:
    """Yield the entities of every event, and those of policies; others of single actions are left out."""
    is_of_policy = record.get("eventName") in {"AttachRolePolicy", "DetachRolePolicy"}
    for path in _ENTITIES + (_ENTITIES_OF_POLICIES if is_of_policy else ()):
        yield from read_path(record, path)


def _read_sign_in(name: str) -> Callable[[Record], Iterable[Any]]:
    """Return the reader of a sign-in's field whose value is ``Yes`` or ``No``."""

    def read(record: Record) -> Iterable[Any]:
        if record.get("eventName") != "ConsoleLogin":
            return ()
        return (value != "No" for value in read_path(record, f"additionalEventData.{name}"))

    return read


def _read_tls(part: int) -> Callable[[Record], Iterable[str]]:
    def read(record: Record) -> Iterable[str]:
        for version in read_path(record, "tlsDetails.tlsVersion"):
            parts = show(version).split("v", 1)
            if len(parts) == 2:
                yield parts[part].lower()

    return read


_DERIVED: Final[dict[str, Callable[[Record], Iterable[Any]]]] = {
    "aws.cloudtrail.console_login.additional_eventdata.login_to": lambda record: (
        read_path(record, "additionalEventData.LoginTo") if record.get("eventName") == "ConsoleLogin" else ()
    ),
    "aws.cloudtrail.console_login.additional_eventdata.mfa_used": _read_sign_in("MFAUsed"),
    "aws.cloudtrail.console_login.additional_eventdata.mobile_version": _read_sign_in("MobileVersion"),
    "aws.cloudtrail.request_parameters": lambda record: _read_text(record, "requestParameters"),
    "aws.cloudtrail.response_elements": lambda record: _read_text(record, "responseElements"),
    "aws.cloudtrail.additional_eventdata": lambda record: _read_text(record, "additionalEventData"),
    "aws.cloudtrail.service_event_details": lambda record: _read_text(record, "serviceEventDetails"),
    "aws.cloudtrail.resources": lambda record: (
        {"arn": each.get("ARN"), "account_id": each.get("accountId"), "type": each.get("type")}
        for each in read_path(record, "resources")
        if isinstance(each, dict)
    ),
    "event.outcome": _read_outcome,
    "related.entity": _read_entities,
    "related.ip": _read_address,
    "related.user": _read_users,
    "source.ip": _read_address,
    "tls.version": _read_tls(1),
    "tls.version_protocol": _read_tls(0),
    "user.name": _read_user_name,
}
"""Fields that the pipeline computes."""

_OWN_NAMES: Final = frozenset(
    {
        *(path.partition(".")[0] for path in _PATHS.values()),
        *_OBJECTS.values(),
        "addendum",
        "insightDetails",
        "sharedEventID",
        "vpcEndpointAccountId",
    }
)
"""The top-level names of a CloudTrail record."""
