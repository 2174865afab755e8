"""What AWS charges for requests, storage and logs, which the cost in a video's record leaves out.

Prices of text, voice, stills, functions and builds are those of lambdas/domain/prices.py, prices of instances
those of cdk/instances.py. Like them, these are on-demand list prices of us-east-1, taken from public pages
that quote AWS's (2026-11), and none was fetched from AWS itself.
"""

from collections.abc import Mapping

MILLION = 1e6

# USD per call, by "service Operation"; calls that are not listed cost nothing or are billed by what they use.
PER_CALL: Mapping[str, float] = {
    # aws.amazon.com/s3/pricing: USD 0.005 for 1,000 PUT, COPY, POST or LIST, 0.0004 for 1,000 others
    "s3 PutObject": 5 / MILLION,
    "s3 CopyObject": 5 / MILLION,
    "s3 ListObjectsV2": 5 / MILLION,
    "s3 GetObject": 0.4 / MILLION,
    "s3 HeadObject": 0.4 / MILLION,
    # aws.amazon.com/sqs/pricing: a message is sent, received and deleted
    "sqs SendMessage": 3 * 0.40 / MILLION,
    "sqs ReceiveMessage": 0.40 / MILLION,
    # aws.amazon.com/eventbridge/pricing: custom events
    "events PutEvents": 1.00 / MILLION,
}
API_REQUEST = 3.50 / MILLION  # aws.amazon.com/api-gateway/pricing: REST, first 333 million a month
INVOCATION = 0.20 / MILLION  # aws.amazon.com/lambda/pricing
TRANSITION = 25 / MILLION  # aws.amazon.com/step-functions/pricing: Standard
# aws.amazon.com/dynamodb/pricing/on-demand
WRITE_UNIT = 0.625 / MILLION
READ_UNIT = 0.125 / MILLION  # strongly consistent, 4 KB
GB_OF_LOGS = 0.50  # aws.amazon.com/cloudwatch/pricing: collected
TRACE = 5.00 / MILLION  # aws.amazon.com/xray/pricing: recorded
GB_MONTH_OF_OBJECTS = 0.023  # aws.amazon.com/s3/pricing: Standard
# By the month (docs/deploy.md)
METRIC = 0.30
ALARM = 0.10
KEY = 1.00  # aws.amazon.com/kms/pricing: that of the alarms' topic
