"""The role of an account as each of its three forms describes it: JSON, CloudFormation and Terraform."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from hcl2.api import loads

from devstack.compose.reading import ROOT

FOLDER = ROOT / "docs" / "examples" / "account-role"
TEMPLATE = FOLDER / "role.yaml"
TERRAFORM = FOLDER / "role.tf"

WORKER = "arn:aws:iam::111122223333:role/airflow-worker"
EXTERNAL_ID = "c0ffee-42"
NAME = "cloudtrail-reader"
PATH = "/security/"


@dataclass(frozen=True, slots=True)
class DescribedRole:
    """What a form makes: the name, the path, and the statements of both policies."""

    name: str
    path: str
    trust: list[dict[str, Any]]
    permissions: list[dict[str, Any]]


def read_json(external_id: str) -> DescribedRole:
    """Return the role of the JSON files, with the words in capitals replaced."""
    trust = (FOLDER / "trust.json").read_text().replace("WORKER_ROLE_ARN", WORKER)
    statements = json.loads(trust.replace("EXTERNAL_ID", external_id))["Statement"]
    if not external_id:
        for statement in statements:
            del statement["Condition"]
    permissions = json.loads((FOLDER / "permissions.json").read_text())["Statement"]
    return DescribedRole(NAME, PATH, statements, permissions)


def deploy_template(external_id: str) -> DescribedRole:
    """Return the role that the template makes in moto's CloudFormation and IAM."""
    # Imported only here: every run collects the tests that use this module.
    from moto import mock_aws

    given = {"WorkerRoleArn": WORKER, "ExternalId": external_id, "RoleName": NAME, "RolePath": PATH}
    with mock_aws():
        stacks = boto3.client("cloudformation")
        stacks.create_stack(
            StackName="role",
            TemplateBody=TEMPLATE.read_text(),
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        (stack,) = stacks.describe_stacks(StackName="role")["Stacks"]
        iam = boto3.client("iam")
        (role,) = iam.list_roles()["Roles"]
        assert [output["OutputValue"] for output in stack["Outputs"]] == [role["Arn"]]
        (policy,) = iam.list_role_policies(RoleName=NAME)["PolicyNames"]
        # moto keeps a role's inline policy of a template as the text of a Python object.
        permissions = ast.literal_eval(iam.get_role_policy(RoleName=NAME, PolicyName=policy)["PolicyDocument"])
    trust = role["AssumeRolePolicyDocument"]
    return DescribedRole(role["RoleName"], role["Path"], trust["Statement"], permissions["Statement"])


def read_terraform(external_id: str) -> DescribedRole:
    """Return the role of the Terraform file, by the rules of the provider's aws_iam_policy_document."""
    blocks = loads(TERRAFORM.read_text())
    values = {"worker_role_arn": WORKER, "external_id": external_id, "role_name": NAME, "role_path": PATH}
    role = _find(blocks["resource"], "aws_iam_role")
    policy = _find(blocks["resource"], "aws_iam_role_policy")
    return DescribedRole(
        _evaluate(role["name"], values),
        _evaluate(role["path"], values),
        _document(blocks, role["assume_role_policy"], values),
        _document(blocks, policy["policy"], values),
    )


def terraform_references() -> tuple[set[str], set[str]]:
    """Return the names that the Terraform file declares, and those that it uses."""
    text = TERRAFORM.read_text()
    declared = {f"var.{name}" for name in re.findall(r'^variable "(\w+)"', text, re.MULTILINE)}
    declared |= {f"data.{kind}.{name}" for kind, name in re.findall(r'^data "(\w+)" "(\w+)"', text, re.MULTILINE)}
    resources = re.findall(r'^resource "(\w+)" "(\w+)"', text, re.MULTILINE)
    declared |= {f"{kind}.{name}" for kind, name in resources}
    used = set(re.findall(r"(?<![\w.])(?:var\.\w+|data\.\w+\.\w+|aws_\w+\.\w+)", text))
    return declared, used


def _find(blocks: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [body for block in blocks for body in block.get(kind, {}).values()]
    return dict(found)


def _document(blocks: Mapping[str, Any], reference: str, values: Mapping[str, str]) -> list[dict[str, Any]]:
    found = re.fullmatch(r"\$\{data\.aws_iam_policy_document\.(\w+)\.json\}", reference)
    assert found is not None
    (document,) = [
        block["aws_iam_policy_document"][found[1]]
        for block in blocks["data"]
        if found[1] in block.get("aws_iam_policy_document", {})
    ]
    return [_statement(statement, values) for statement in document["statement"]]


def _statement(block: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    assert set(block) <= {"sid", "effect", "actions", "resources", "principals", "dynamic"}
    statement = {"Sid": block["sid"], "Effect": block.get("effect", "Allow"), "Action": _single(block["actions"])}
    if "resources" in block:
        statement["Resource"] = _single(block["resources"])
    for principal in block.get("principals", ()):
        names = [_evaluate(name, values) for name in principal["identifiers"]]
        statement["Principal"] = {principal["type"]: _single(names)}
    for dynamic in block.get("dynamic", ()):
        for test, variable, value in _conditions(dynamic["condition"], values):
            statement.setdefault("Condition", {}).setdefault(test, {})[variable] = value
    return statement


def _conditions(block: Mapping[str, Any], values: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield the conditions of a dynamic block whose list is empty if the variable is."""
    found = re.fullmatch(r"\$\{var\.(\w+) == \"\" \? \[\] : \['\$\{var\.\1\}'\]\}", block["for_each"])
    assert found is not None, block["for_each"]
    (content,) = block["content"]
    assert content["values"] == ["${condition.value}"]
    if values[found[1]]:
        yield content["test"], content["variable"], values[found[1]]


def _single(values: list[str]) -> str | list[str]:
    """Return the only element of a list, as the provider writes it."""
    return values[0] if len(values) == 1 else values


def _evaluate(text: str, values: Mapping[str, str]) -> str:
    found = re.fullmatch(r"\$\{var\.(\w+)\}", text)
    return values[found[1]] if found else text
