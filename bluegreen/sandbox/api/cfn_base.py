"""A CloudFormation resource that was made, and how the emulator has one made, changed and removed.

Each goes through the very backend the API uses, so a service made by a template is the service that CreateService
would have made.
"""

from __future__ import annotations

from typing import Any

from moto.cloudformation.exceptions import UnformattedGetAttTemplateException

Properties = dict[str, Any]


class Made:
    """A resource that was made: what Ref and GetAtt answer, and how to remove it again."""

    # Set by the emulator.
    cf_resource_type = ""
    logical_resource_id = ""

    def __init__(self, reference: str, attributes: dict[str, Any] | None = None) -> None:
        self._reference = reference
        self._attributes = attributes or {}

    @property
    def physical_resource_id(self) -> str:
        return self._reference

    @property
    def name(self) -> str:
        return self._reference

    @staticmethod
    def has_cfn_attr(attr: str) -> bool:
        return True

    def get_cfn_attribute(self, attribute_name: str) -> Any:
        if attribute_name not in self._attributes:
            raise UnformattedGetAttTemplateException()
        return self._attributes[attribute_name]

    @staticmethod
    def is_created() -> bool:
        return True

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Properties, account_id: str, region_name: str, **_: Any
    ) -> Any:
        return cls.make(resource_name, cloudformation_json["Properties"], account_id, region_name)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Any,
        new_resource_name: str,
        cloudformation_json: Properties,
        account_id: str,
        region_name: str,
    ) -> Any:
        return cls.change(
            original_resource, new_resource_name, cloudformation_json["Properties"], account_id, region_name
        )

    @classmethod
    def make(cls, name: str, properties: Properties, account: str, region: str) -> Any:
        raise NotImplementedError

    @classmethod
    def change(cls, old: Any, name: str, properties: Properties, account: str, region: str) -> Any:
        """Most resources are simply made again under their name."""
        return cls.make(name, properties, account, region)
