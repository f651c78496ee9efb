"""STS and EC2 over HTTP: AWS's query protocol, with forms as requests and XML as answers.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from aiohttp import web

from devstack.simulator import errors
from devstack.simulator.assume_role import describe_caller
from devstack.simulator.describe_regions import describe_regions
from devstack.simulator.errors import ApiError
from devstack.simulator.identities import Identity, Signer
from devstack.simulator.service import Service
from devstack.simulator.serving import serve_operation

_ACTIONS: Final = {"sts": ("AssumeRole", "GetCallerIdentity"), "ec2": ("DescribeRegions",)}
_WITHOUT_PERMISSION: Final = "GetCallerIdentity"


@dataclass(frozen=True, slots=True)
class _Error:
    """The code and status of an error; `message` None keeps the message."""

    code: str
    status: int
    message: str | None = None


_STS_ERRORS: Final[Mapping[str, _Error]] = MappingProxyType(
    {
        "AccessDeniedException": _Error("AccessDenied", 403),
        "ExpiredTokenException": _Error("ExpiredToken", 403),
        "IncompleteSignatureException": _Error("IncompleteSignature", 400),
        "ThrottlingException": _Error("Throttling", 400),
        "UnknownOperationException": _Error("InvalidAction", 400),
        "UnrecognizedClientException": _Error("InvalidClientTokenId", 403),
    }
)
"""The codes of STS by those of the JSON protocol."""

_EC2_ERRORS: Final[Mapping[str, _Error]] = MappingProxyType(
    {
        "AccessDeniedException": _Error("UnauthorizedOperation", 403),
        # EC2's own code for an expired session, which is not a matter of the clock here.
        "ExpiredTokenException": _Error("RequestExpired", 400, "Request has expired."),
        "InternalFailure": _Error("InternalError", 500),
        "ServiceUnavailable": _Error("Unavailable", 503),
        "ThrottlingException": _Error("RequestLimitExceeded", 503, "Request limit exceeded."),
        "UnknownOperationException": _Error("InvalidAction", 400),
        "UnrecognizedClientException": _Error(
            "AuthFailure", 401, "AWS was not able to validate the provided access credentials"
        ),
        "ValidationError": _Error("InvalidParameterValue", 400),
    }
)
"""The codes of EC2 by those of the JSON protocol."""


class QueryProtocol:
    """Handles requests to STS and EC2."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def handle(self, http: web.Request, signed: Signer) -> web.Response:
        """Return the operation's answer, or an error in the form of its service."""
        form = dict(parse_qsl((await http.read()).decode("utf-8", "replace"), keep_blank_values=True))
        action = form.get("Action", "")
        try:
            if action not in _ACTIONS[signed.service]:
                raise errors.unknown_operation(action)
            self._service.statistics.operations[action] += 1
            caller = self._service.identities.find(signed)
            body = await self._answer(http, signed, caller, action, form)
        except ApiError as error:
            return _make_error(signed.service, error)
        return _make_answer(signed.service, action, body)

    async def _answer(
        self, http: web.Request, signed: Signer, caller: Identity, action: str, form: Mapping[str, str]
    ) -> dict[str, Any]:
        service = self._service

        def answer() -> dict[str, Any]:
            if action == _WITHOUT_PERMISSION:
                return describe_caller(caller)
            caller.check(f"{signed.service}:{action}")
            if action == "AssumeRole":
                return service.assume_role.answer(form, caller)
            if not service.offers(caller.account, signed.region):
                raise errors.unrecognized_client()
            return describe_regions(service.regions_of(caller.account), form)

        return await serve_operation(service, http, signed, caller, action, answer)


def _make_answer(service: str, action: str, body: Mapping[str, Any]) -> web.Response:
    request_id = str(uuid.uuid4())
    if service == "ec2":
        inner = f"<requestId>{request_id}</requestId>{_xml(body, 'item')}"
        return _xml_response(action, "http://ec2.amazonaws.com/doc/2016-11-15/", inner, 200)
    result = f"<{action}Result>{_xml(body, 'member')}</{action}Result>"
    inner = f"{result}<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
    return _xml_response(action, "https://sts.amazonaws.com/doc/2011-06-15/", inner, 200)


def _xml_response(action: str, namespace: str, inner: str, status: int) -> web.Response:
    text = f'<{action}Response xmlns="{namespace}">{inner}</{action}Response>'
    return web.Response(text=text, status=status, content_type="text/xml")


def _make_error(service: str, error: ApiError) -> web.Response:
    known = (_EC2_ERRORS if service == "ec2" else _STS_ERRORS).get(error.code)
    if known is not None:
        error = replace(error, code=known.code, status=known.status, message=known.message or error.message)
    request_id = str(uuid.uuid4())
    described = _xml({"Code": error.code, "Message": error.message}, "member")
    if service == "ec2":
        text = f"<Errors><Error>{described}</Error></Errors><RequestID>{request_id}</RequestID>"
        return web.Response(text=f"<Response>{text}</Response>", status=error.status, content_type="text/xml")
    side = "Sender" if error.status < 500 else "Receiver"
    text = f"<Error><Type>{side}</Type>{described}</Error><RequestId>{request_id}</RequestId>"
    root = '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    return web.Response(text=f"{root}{text}</ErrorResponse>", status=error.status, content_type="text/xml")


def _xml(value: Any, element: str) -> str:
    """Return a value as XML; `element` is the name of each element of a list."""
    if isinstance(value, Mapping):
        return "".join(f"<{name}>{_xml(part, element)}</{name}>" for name, part in value.items())
    if isinstance(value, list):
        return "".join(f"<{element}>{_xml(part, element)}</{element}>" for part in value)
    return escape(str(value))
