"""The least a rollback could be with boto3: a client and one write. No record, no check, no read-back.

Run as ``flip.py LISTENER_ARN ACTIONS_JSON``.
"""

import json
import sys

import boto3

boto3.client("elbv2").modify_listener(ListenerArn=sys.argv[1], DefaultActions=json.loads(sys.argv[2]))
