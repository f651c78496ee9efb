"""Find the plugin's calls to AWS and to the search server by reading its source."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import botocore.session
from botocore import xform_name

from devstack.compose.reading import ROOT

PLUGINS = ROOT / "plugins"
SERVICES = ("cloudtrail", "ec2", "kms", "organizations", "s3", "sts")
TRANSFERS = frozenset({"upload_file", "upload_fileobj", "download_file", "download_fileobj"})
"""What boto3 adds to the S3 client: multipart behind the scenes, so they take actions of their own."""
HTTP_METHODS = frozenset({"DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"})


@cache
def client_methods() -> frozenset[str]:
    """Return the client methods of all AWS services that the plugin might call, from botocore's models."""
    session = botocore.session.get_session()
    models = (session.get_service_model(service) for service in SERVICES)
    return TRANSFERS.union(xform_name(name) for model in models for name in model.operation_names)


def _calls(source: Path) -> Iterator[ast.Call]:
    tree = ast.parse(source.read_text(), filename=str(source))
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _names(call: ast.Call) -> Iterator[str]:
    """Return the called method and the text arguments: `get_paginator("x")` and `partial(client.x)` call x too."""
    for node in (call.func, *call.args):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _found(names: frozenset[str], root: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for source in sorted(root.rglob("*.py")):
        for call in _calls(source):
            for name in names.intersection(_names(call)):
                found.setdefault(name, set()).add(f"{source.relative_to(root)}:{call.lineno}")
    return found


def aws_calls(root: Path = PLUGINS) -> dict[str, set[str]]:
    """Return every AWS client method that the source calls, with the places of the calls."""
    return _found(client_methods(), root)


def search_requests(root: Path = PLUGINS) -> dict[str, set[str]]:
    """Return every HTTP method that the source uses in a call, with the places of the calls."""
    return _found(HTTP_METHODS, root)
