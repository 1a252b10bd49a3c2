"""CloudFormation resources of other services that a deployment needs: alarms and secrets."""

from __future__ import annotations

import json
import secrets
from typing import Any

from moto.cloudwatch.models import Dimension, Metric, MetricDataQuery, MetricStat, cloudwatch_backends
from moto.core.common_models import CloudFormationModel
from moto.secretsmanager.models import secretsmanager_backends

from bluegreen.sandbox.api.cfn_base import Made, Properties
from bluegreen.sandbox.api.cfn_properties import as_api


class AlarmResource(Made, CloudFormationModel):
    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::CloudWatch::Alarm"

    @staticmethod
    def cloudformation_name_type() -> str:
        return "AlarmName"

    @classmethod
    def make(cls, name: str, properties: Properties, account: str, region: str) -> AlarmResource:
        given = as_api("cloudwatch", "PutMetricAlarm", properties)
        alarm = _cloudwatch(account, region).put_metric_alarm(
            name=name,
            namespace=given.get("Namespace"),
            metric_name=given.get("MetricName"),
            metric_data_queries=[_query(item) for item in given.get("Metrics", [])],
            comparison_operator=given["ComparisonOperator"],
            evaluation_periods=given["EvaluationPeriods"],
            datapoints_to_alarm=given.get("DatapointsToAlarm"),
            period=given.get("Period"),
            threshold=given.get("Threshold"),
            statistic=given.get("Statistic"),
            extended_statistic=given.get("ExtendedStatistic"),
            description=given.get("AlarmDescription", ""),
            dimensions=given.get("Dimensions", []),
            alarm_actions=given.get("AlarmActions", []),
            ok_actions=given.get("OKActions", []),
            insufficient_data_actions=given.get("InsufficientDataActions", []),
            unit=given.get("Unit"),
            actions_enabled=given.get("ActionsEnabled", True),
            treat_missing_data=given.get("TreatMissingData"),
            threshold_metric_id=given.get("ThresholdMetricId"),
            tags=given.get("Tags"),
        )
        return cls(name, {"Arn": alarm.alarm_arn})

    def delete(self, account: str, region: str) -> None:
        _cloudwatch(account, region).delete_alarms([self.physical_resource_id])


class SecretResource(Made, CloudFormationModel):
    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::SecretsManager::Secret"

    @staticmethod
    def cloudformation_name_type() -> str:
        return "Name"

    @classmethod
    def make(cls, name: str, properties: Properties, account: str, region: str) -> SecretResource:
        given = as_api("secretsmanager", "CreateSecret", properties)
        text = given.get("SecretString") or _generated(properties.get("GenerateSecretString") or {})
        made = _secrets(account, region).create_secret(
            name, text, None, given.get("Description"), given.get("Tags"), given.get("KmsKeyId"), None, [], False
        )
        arn = json.loads(made)["ARN"]
        return cls(arn, {"Id": arn})

    def delete(self, account: str, region: str) -> None:
        backend = _secrets(account, region)
        backend.delete_secret(self.physical_resource_id, None, True)


def _generated(wanted: Properties) -> str:
    text = secrets.token_urlsafe(int(wanted.get("PasswordLength", 32)))
    if "GenerateStringKey" in wanted:
        return json.dumps({**json.loads(wanted.get("SecretStringTemplate", "{}")), wanted["GenerateStringKey"]: text})
    return text


def _query(item: Properties) -> MetricDataQuery:
    stat = item.get("MetricStat")
    return MetricDataQuery(
        query_id=item["Id"],
        label=item.get("Label", ""),
        period=item.get("Period", 0),
        return_data=item.get("ReturnData", True),
        expression=item.get("Expression"),
        metric_stat=_metric_stat(stat) if stat else None,
    )


def _metric_stat(stat: Properties) -> MetricStat:
    metric = stat["Metric"]
    dimensions = [Dimension(item["Name"], item["Value"]) for item in metric.get("Dimensions", [])]
    measured = Metric(metric_name=metric["MetricName"], namespace=metric["Namespace"], dimensions=dimensions)
    return MetricStat(metric=measured, period=stat["Period"], stat=stat["Stat"], unit=stat.get("Unit", ""))


def _cloudwatch(account: str, region: str) -> Any:
    return cloudwatch_backends[account][region]


def _secrets(account: str, region: str) -> Any:
    return secretsmanager_backends[account][region]
