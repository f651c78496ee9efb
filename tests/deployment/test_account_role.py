"""The role that the worker assumes in each account: three forms, the same statements, and nothing too much."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from hcl2.api import loads

from devstack.compose.reading import ROOT
from tests.deployment.role_forms import (
    EXTERNAL_ID,
    FOLDER,
    NAME,
    PATH,
    TEMPLATE,
    TERRAFORM,
    WORKER,
    deploy_template,
    read_json,
    read_terraform,
    terraform_references,
)
from tests.docs.pages import commands

PAGE = ROOT / "docs" / "accounts.md"
NEEDED = {"cloudtrail:LookupEvents", "ec2:DescribeRegions"}
"""The actions of the calls that are made with the role's credentials."""

pytestmark = [
    # moto's and parliament's own.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.mark.parametrize("external_id", ["", EXTERNAL_ID], ids=["without external id", "with external id"])
@pytest.mark.promise("closed")
def test_all_forms_make_the_same_role(external_id: str) -> None:
    """The template is deployed into moto; the Terraform file is read by the rules of its provider."""
    written = read_json(external_id)
    assert deploy_template(external_id) == written
    assert read_terraform(external_id) == written


@pytest.mark.promise("closed")
def test_the_role_has_exactly_the_needed_permissions() -> None:
    """Its statements are those of minimal_policy.json with the same names; AWS offers no resource for either."""
    minimal = {one["Sid"]: one for one in json.loads((ROOT / "minimal_policy.json").read_text())["Statement"]}
    statements = read_json("").permissions
    assert {one["Action"] for one in statements} == NEEDED
    assert [one for one in statements if minimal.get(one["Sid"]) != one] == []


@pytest.mark.promise("closed")
@pytest.mark.parametrize("external_id", ["", EXTERNAL_ID], ids=["without external id", "with external id"])
def test_only_the_worker_may_assume_the_role(external_id: str) -> None:
    """The trust policy has one statement, for one role, and with an external id only for who sends it."""
    condition = {"Condition": {"StringEquals": {"sts:ExternalId": external_id}}} if external_id else {}
    assert read_json(external_id).trust == [
        {
            "Sid": "LetTheWorkerAssumeTheRole",
            "Effect": "Allow",
            "Principal": {"AWS": WORKER},
            "Action": "sts:AssumeRole",
            **condition,
        }
    ]


def test_the_actions_exist() -> None:
    """botocore's models have each of them."""
    role = read_json("")
    session = botocore.session.get_session()
    for statement in (*role.trust, *role.permissions):
        service, _, operation = statement["Action"].partition(":")
        assert operation in session.get_service_model(service).operation_names


@pytest.mark.parametrize(
    ("parameter", "right", "wrong"),
    [
        (
            "WorkerRoleArn",
            [WORKER, "arn:aws-cn:iam::111122223333:role/a/b"],
            ["", "*", "role/a"],
        ),
        ("ExternalId", ["", EXTERNAL_ID], ["x", "two words", "*"]),
        ("RoleName", [NAME], ["", "a/b", "a" * 65]),
        ("RolePath", ["/", PATH, "/a/b/"], ["", "security", "/security", "//"]),
    ],
)
def test_the_template_checks_its_parameters(parameter: str, right: list[str], wrong: list[str]) -> None:
    """CloudFormation compares the whole value with the pattern."""
    found = re.search(
        rf'^  {parameter}:\n(?:    .*\n)*?    AllowedPattern: "(.*)"$', TEMPLATE.read_text(), re.MULTILINE
    )
    assert found is not None
    assert [value for value in right if not re.fullmatch(found[1], value)] == []
    assert [value for value in wrong if re.fullmatch(found[1], value)] == []


def lint_template(text: str) -> list[str]:
    # Imported only here: it takes seconds, and every run collects this module.
    from cfnlint.api import lint

    return [f"{match.rule.id} {match.message}" for match in lint(text)]


@pytest.mark.slow
def test_the_linter_finds_nothing_in_the_template() -> None:
    """cfn-lint has neither an error nor a warning."""
    assert lint_template(TEMPLATE.read_text()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "wrong"),
    [("AssumeRolePolicyDocument", "RolePolicyDocument"), ("!Ref RoleName", "!Ref Name"), ("Effect:", "Effects:")],
)
def test_the_linter_would_find_a_mistake_in_the_template(right: str, wrong: str) -> None:
    """A misspelt property, parameter, or member of a statement."""
    assert lint_template(TEMPLATE.read_text().replace(right, wrong))


def test_the_terraform_file_uses_what_it_declares() -> None:
    """Each variable and document is declared and used."""
    declared, used = terraform_references()
    assert used - declared == set()
    assert declared - used == {"aws_iam_role_policy.look_up_events"}


def test_a_mistake_in_the_terraform_file_would_be_found(tmp_path: Path) -> None:
    """A missing brace does not parse."""
    text = TERRAFORM.read_text()
    assert loads(text)
    with pytest.raises(Exception, match="Unexpected"):
        loads(text.rstrip().removesuffix("}"))


def test_the_defaults_of_both_forms_are_the_same() -> None:
    """Name and path; the external id is empty."""
    blocks = loads(TERRAFORM.read_text())["variable"]
    variables = {name: body for block in blocks for name, body in block.items()}
    template = TEMPLATE.read_text()
    for name, body in variables.items():
        parameter = "".join(part.capitalize() for part in name.split("_"))
        found = re.search(rf"^  {parameter}:\n(?:    .*\n)*", template, re.MULTILINE)
        assert found is not None
        default = re.search(r"^    Default: (.*)$", found[0], re.MULTILINE)
        assert (default[1].strip('"') if default else None) == body.get("default")
        assert f"Description: {body['description']}" in found[0]


def test_every_file_statement_and_parameter_is_explained() -> None:
    """docs/accounts.md names each of them, and describes each statement."""
    page = PAGE.read_text()
    names = [one["Sid"] for one in (*read_json("").trust, *read_json("").permissions)]
    parameters = re.findall(r"^  (\w+):\n    Type: String", TEMPLATE.read_text(), re.MULTILINE)
    files = [f"account-role/{file.name}" for file in FOLDER.iterdir()]
    assert [name for name in (*names, *parameters) if f"`{name}`" not in page] == []
    assert [file for file in files if file not in page] == []


def aws_commands() -> list[list[str]]:
    return [shlex.split(text) for text in commands(PAGE) if text.startswith("aws ") and " --" in text]


def test_the_page_has_commands_for_each_form() -> None:
    """The check of the commands has something to check."""
    operations = {" ".join(command[1:3]) for command in aws_commands()}
    assert {"cloudformation create-stack-set", "cloudformation create-stack-instances"} <= operations
    assert {"iam create-role", "iam put-role-policy"} <= operations


@pytest.mark.parametrize("command", aws_commands(), ids=lambda command: " ".join(command[1:3]))
def test_the_documented_commands_of_aws_exist(command: list[str]) -> None:
    """Service, operation and options are those of botocore's model; no required one is missing."""
    _, service, operation, *arguments = command
    model = botocore.session.get_session().get_service_model(service)
    by_name = {xform_name(name, "-"): name for name in model.operation_names}
    shape: Any = model.operation_model(by_name[operation]).input_shape
    options = {xform_name(name, "-") for name in shape.members}
    required = {xform_name(name, "-") for name in shape.required_members}
    given = {text.removeprefix("--") for text in arguments if text.startswith("--")} - {"region"}
    assert given - options == set()
    assert required - given == set()


def test_the_name_of_the_role_has_its_path_in_the_documented_setting() -> None:
    """The variable cloudtrail_role takes the path and the name, without a slash at its beginning."""
    assert f"cloudtrail_role {PATH.lstrip('/')}{NAME}" in PAGE.read_text()
