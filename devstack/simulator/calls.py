"""An operation as CloudTrail records a call of it: eventSource, eventName, request and response."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from botocore.model import OperationModel, ServiceModel, StructureShape

from devstack.simulator import models
from devstack.simulator.dialects import (
    ABSENT,
    Dialect,
    Ec2Request,
    Ec2Response,
    Ec2TaggedRequest,
    Query,
    S3Request,
    Xml,
)
from devstack.simulator.shapes import Node, Renderer
from devstack.simulator.values import Scene

_SERVICES_IN_MEMORY: Final = 96
_EC2_NAMESPACE: Final = "http://ec2.amazonaws.com/doc/2016-11-15/"
_EC2_FIRST_OPERATIONS = re.compile(
    r"(Run|Start|Stop|Reboot|Terminate)Instances|(Authorize|Revoke)SecurityGroup\w+"
    r"|(Create|Delete|Attach|Detach)(Volume|Snapshot|SecurityGroup|KeyPair|Tags|Vpc|Subnet|NetworkInterface"
    r"|Image|InternetGateway|RouteTable|Route)|(Describe|Modify|Reset)(Instance|Image|Snapshot|Volume)Attribute"
    r"|Describe(Instances|InstanceStatus|Volumes|VolumeStatus|Snapshots|Images|SecurityGroups|KeyPairs|Tags"
    r"|Vpcs|Subnets|NetworkInterfaces|Addresses|Regions|AvailabilityZones|RouteTables|InternetGateways"
    r"|AccountAttributes|ReservedInstances|SpotInstanceRequests|PlacementGroups)|GetPasswordData|GetConsoleOutput"
)
_RESPONSES_OF_READING_CALLS: Final = frozenset({"sts"})

Part = Callable[[Scene], Any]


class Structures(Protocol):
    """Turns an object's shape into a function that makes its values: a renderer, or a replacement of one."""

    def structure(self, shape: StructureShape) -> Node:
        """Return the function that makes the values."""


MakeStructures = Callable[[Dialect], Structures]


@dataclass(frozen=True, slots=True)
class Call:
    """The members that all events of one operation share, and the functions that make the others."""

    service: str
    operation: str
    event_source: str
    event_name: str
    read_only: bool
    is_data_event: bool
    api_version: str | None
    errors: tuple[str, ...]
    request: Part
    response: Part


class ServiceCalls:
    """The calls of one service. Each is made when it is first needed."""

    def __init__(self, service: str, structures: MakeStructures = Renderer) -> None:
        self._model: ServiceModel = models.service_model(service)
        protocol = str(self._model.metadata["protocol"])
        self._parts = _parts(service, protocol, structures)
        self._calls: dict[str, Call] = {}
        self.operations: tuple[str, ...] = tuple(self._model.operation_names)

    def call(self, operation: str) -> Call:
        """Return an operation's call."""
        known = self._calls.get(operation)
        if known is None:
            known = self._calls[operation] = self._make(operation)
        return known

    def _make(self, operation: str) -> Call:
        model = self._model.operation_model(operation)
        service = str(self._model.service_name)
        read_only = models.is_read_only(operation)
        request, response = self._parts(model)
        return Call(
            service=service,
            operation=operation,
            event_source=models.event_source(self._model),
            event_name=models.event_name(model),
            read_only=read_only,
            is_data_event=models.is_data_event(service, operation),
            api_version=models.api_version(self._model),
            errors=tuple(error.name for error in model.error_shapes),
            request=request,
            response=_nothing if read_only and service not in _RESPONSES_OF_READING_CALLS else response,
        )


@functools.lru_cache(maxsize=_SERVICES_IN_MEMORY)
def service_calls(service: str) -> ServiceCalls:
    """Return the calls of a service. The most recently used services are cached.

    :raises KeyError: botocore knows no such service
    """
    return ServiceCalls(service)


def _parts(
    service: str, protocol: str, structures: MakeStructures
) -> Callable[[OperationModel], tuple[Part, Part]]:
    if service == "ec2":
        return _Ec2(structures)
    if service in {"s3", "s3control"}:
        return _S3(service, structures)
    dialect = Query if protocol in {"query", "rest-xml"} else Dialect
    shared = structures(dialect(service, protocol))
    return lambda model: (_part(shared, model.input_shape), _part(shared, model.output_shape))


def _nothing(scene: Scene) -> None:
    del scene


def _part(structures: Structures, shape: Any) -> Part:
    if shape is None or not shape.members:
        return _nothing
    node = structures.structure(shape)

    def render(scene: Scene) -> Any:
        value = node(scene, 0)
        return value if value is not ABSENT and value not in ("", {}) else None

    return render


class _Ec2:
    """EC2's two forms, each with renderers of its own."""

    def __init__(self, structures: MakeStructures) -> None:
        self._request = structures(Ec2Request("ec2", "ec2"))
        self._response = structures(Ec2Response("ec2", "ec2"))
        self._tagged_request = structures(Ec2TaggedRequest("ec2", "ec2"))
        self._tagged_response = structures(Xml("ec2", "ec2"))

    def __call__(self, model: OperationModel) -> tuple[Part, Part]:
        if _EC2_FIRST_OPERATIONS.fullmatch(model.name):
            return _part(self._request, model.input_shape), self._first(model)
        return self._later_request(model), self._later_response(model)

    def _first(self, model: OperationModel) -> Part:
        part = _part(self._response, model.output_shape)
        return lambda scene: {"requestId": scene.draw.uuid(), **(part(scene) or {"_return": True})}

    def _later_request(self, model: OperationModel) -> Part:
        part = _part(self._tagged_request, model.input_shape)
        return lambda scene: {f"{model.name}Request": part(scene) or ""}

    def _later_response(self, model: OperationModel) -> Part:
        part = _part(self._tagged_response, model.output_shape)

        def render(scene: Scene) -> Any:
            envelope = {"xmlns": _EC2_NAMESPACE, "requestId": scene.draw.uuid()}
            return {f"{model.name}Response": {**envelope, **(part(scene) or {"return": True})}}

        return render


class _S3:
    """S3's requests have the host and, with an empty value, the names in the query string (``?policy``)."""

    def __init__(self, service: str, structures: MakeStructures) -> None:
        self._request = structures(S3Request(service, "rest-xml"))
        self._response = structures(Query(service, "rest-xml"))

    def __call__(self, model: OperationModel) -> tuple[Part, Part]:
        part = _part(self._request, model.input_shape)
        uri = str(model.http["requestUri"])
        flags = [flag.split("=")[0] for flag in uri.partition("?")[2].split("&") if flag]

        def render(scene: Scene) -> Any:
            request = part(scene) or {}
            bucket = request.get("bucketName")
            host = f"s3.{scene.region}.amazonaws.com"
            # Older events have a list of one empty text here, newer ones the text itself.
            blank: Any = [""] if scene.draw.chance(0.1) else ""
            return {**request, "Host": f"{bucket}.{host}" if bucket else host, **dict.fromkeys(flags, blank)}

        return render, _part(self._response, model.output_shape)
