"""What each real payload of cloudwatch is."""

from __future__ import annotations

from tests.corpus.rows import Changed, Row, Seen, Table


def _cw(file: str, *alerts: Seen, outcome: str = "alerts", says: str = "", later: bool = False) -> Row:
    return Row(f"cloudwatch/{file}.json", "cloudwatch", outcome, alerts, says, later)


def _alarm(file: str, arn: str, name: str, at: str | None, status: str = "firing", severity: str = "medium") -> Row:
    starts, ends = (at, None) if status == "firing" else (None, at)
    return _cw(file, Seen({"arn": f"arn:aws:cloudwatch:{arn}"}, name, status, severity, None, starts, ends))


_CLOUDWATCH = (
    # Without an AlarmArn the ARN is put together from account, name and the region of the topic.
    _alarm(
        "sns_http_alarm",
        "eu-west-1:1234567890:alarm:bucketbytesAlarm",
        "bucketbytesAlarm",
        "2019-02-15T23:53:45.093Z",
    ),
    _cw("sns_http_insufficient_data", outcome="ignored", says="INSUFFICIENT_DATA"),
    _alarm(
        "sns_lambda_alarm_rds",
        "us-west-2:123456789123:alarm:awsrds-app-High-DB-Connections",
        "awsrds-app-High-DB-Connections",
        "2016-07-24T22:05:19.737Z",
    ),
    _alarm(
        "sns_lambda_alarm_elb",
        "eu-west-1:111111111111111:alarm:Sample Alert",
        "Sample Alert",
        "2017-08-07T18:51:41.602Z",
    ),
    _cw(
        "sns_lambda_elastic_beanstalk_text",
        Seen(
            {"application": "retsd", "environment": "retsd-staging-1"},
            "Elastic Beanstalk environment retsd-staging-1 is not healthy",
            "firing",
            "high",
            "retsd",
            "2016-08-11T07:24:05.959Z",
        ),
    ),
    # A change, which the adapter of deployments reads.
    Row(
        "cloudwatch/sns_lambda_autoscaling.json",
        "aws_deployments",
        "changes",
        changes=(
            Changed(
                {
                    "account": "123456789123",
                    "activity": "00000000-0000-0000-0000-000000000000",
                    "group": "autoscale-group-name",
                },
                "instance termination",
                "instance termination in autoscale-group-name",
                "succeeded",
                "autoscale-group-name",
                when="2016-09-16T12:39:01.604Z",
            ),
        ),
    ),
    _cw("sns_lambda_elasticache", outcome="quarantined", says="read by a mapping of their own"),
    _cw(
        "bare_alarm_message",
        Seen(
            {"account": "000000000000", "region": "EU - Ireland", "name": "Example"},
            "Example",
            "firing",
            "medium",
            starts="2017-01-12T16:30:42.236Z",
        ),
    ),
    _cw("sns_lambda_text_message", outcome="quarantined", says="is text"),
    _cw(
        "eventbridge_guardduty_high",
        Seen(
            {"finding": "sample-id-2"},
            "SAMPLE Unprotected port on EC2 instance i-123123123 is being probed",
            "firing",
            "critical",
            starts="2020-01-02T01:02:03Z",
        ),
    ),
    _cw(
        "eventbridge_aws_health",
        Seen(
            {
                "event": "arn:aws:health:us-west-2::event/"
                "AWS_EC2_INSTANCE_STORE_DRIVE_PERFORMANCE_DEGRADED_90353408594353980"
            },
            "AWS_EC2_INSTANCE_STORE_DRIVE_PERFORMANCE_DEGRADED",
            "firing",
            "high",
            starts="2016-06-05T06:27:57Z",
        ),
    ),
    _alarm(
        "sns_lambda_alarm_from_insufficient",
        "REGION:ACCOUNT_NUMBER:alarm:EXAMPLE",
        "EXAMPLE",
        "2015-06-03T17:43:27.123Z",
    ),
    # From ALARM to ALARM: it began earlier than this message says.
    _alarm(
        "lambda_action_composite_alarm",
        "us-east-1:111122223333:alarm:SuppressionDemo.Main",
        "CompositeDemo.Main",
        None,
    ),
    _alarm(
        "lambda_action_single_metric",
        "eu-west-1:912397435824:alarm:test_alarm",
        "Test alert",
        "2024-02-17T11:53:08.431Z",
    ),
    _alarm(
        "eventbridge_ok_single_metric",
        "us-east-1:123456789012:alarm:ServerCpuTooHigh",
        "ServerCpuTooHigh",
        "2019-10-02T17:34:40.989Z",
        "resolved",
    ),
    _alarm(
        "eventbridge_alarm_short",
        "us-east-1:123456789012:alarm:HighCPUUtilization",
        "HighCPUUtilization",
        "2024-11-20T20:35:33Z",
    ),
    _cw("keep_mock_high_cpu_usage", outcome="quarantined", says="state must be"),
    # The priority is packed in the description.
    _alarm(
        "sns_pytorch_alarm",
        "us-east-1:123456789012:alarm:Runners-ASG-InsufficientInstances",
        "Runners-ASG-InsufficientInstances",
        "2025-09-03T19:10:01Z",
        severity="critical",
    ),
    _cw("sns_pytorch_corrupted", outcome="quarantined", says="state must be"),
    _alarm(
        "sns_pytorch_missing_priority",
        "us-east-1:123456789012:alarm:CPU-Utilization-High",
        "CPU-Utilization-High",
        "2025-09-03T21:00:01Z",
    ),
)

TABLE = Table("cloudwatch", _CLOUDWATCH)
