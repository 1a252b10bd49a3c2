"""What is asked of a template's parameters before anything is made."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from bluegreen.errors import ConfigurationError
from bluegreen.sandbox.stack import check_parameters, differences

DECLARED: dict[str, dict[str, Any]] = {
    "Count": {"Type": "Number", "Default": 2, "MinValue": 1, "MaxValue": 9},
    "Sizes": {"Type": "List<Number>", "Default": "1,2"},
    "Name": {"Type": "String", "Default": "orders", "AllowedPattern": "[a-z]+", "MinLength": 3, "MaxLength": 8},
    "Stage": {"Type": "String", "Default": "test", "AllowedValues": ["test", "prod"]},
    "Password": {"Type": "String", "Default": "hunter2", "NoEcho": True},
}
TEMPLATE = yaml.safe_dump({"Parameters": DECLARED, "Resources": {"Book": {"Type": "AWS::ECS::Cluster"}}})


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("Count", "abc", "Count: 'abc' is no number"),
        ("Count", "nan", "Count: 'nan' is no number"),
        ("Count", "0", "Count: 0 is below 1"),
        ("Count", "10", "Count: 10 is above 9"),
        ("Sizes", "1,x", "Sizes: '1,x' is no list of numbers"),
        ("Name", "or", "Name: 'or' has fewer than 3 characters"),
        ("Name", "ordersorders", "Name: 'ordersorders' has more than 8 characters"),
        ("Name", "Orders", "Name: 'Orders' does not match [a-z]+"),
        ("Stage", "dev", "Stage: 'dev' is not one of test, prod"),
        ("Other", "1", "Other: no such parameter; known: Count, Name, Password, Sizes, Stage"),
    ],
)
def test_a_wrong_value_is_told_by_its_parameter(name: str, value: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_parameters(DECLARED, {name: value})
    assert refused.value.message == f"the template's parameters: {says}"
    assert refused.value.hint == "correct --parameter"


def test_values_that_fit_are_taken() -> None:
    check_parameters(DECLARED, {"Count": "9", "Sizes": "1, 2.5", "Name": "orders", "Stage": "prod", "Password": "x"})


def test_a_default_that_does_not_fit_is_the_template_s_own_affair() -> None:
    check_parameters({"Count": {"Type": "Number", "Default": 0, "MinValue": 1}}, {})


@pytest.mark.parametrize(
    ("asked", "differ"),
    [
        ({}, []),
        ({"parameters": {"Count": "3", "Name": "orders"}}, []),
        ({"parameters": {"Count": "2"}}, ["Count is 3, not 2"]),
        ({"parameters": {"Password": "other"}}, ["Password is another"]),
        ({"parameters": {"Nobody": "1"}}, ["it has no parameter Nobody"]),
        ({"template": TEMPLATE}, []),
        ({"template": "Resources: {}"}, ["its template is another"]),
    ],
)
def test_what_an_up_asks_of_a_sandbox_that_runs_is_held_against_it(asked: dict[str, object], differ: list[str]) -> None:
    assert differences(TEMPLATE, {"Count": "3"}, asked) == differ
