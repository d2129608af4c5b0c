"""What each real payload of cloudwatch is."""

from __future__ import annotations

from tests.corpus.rows import Row, Seen, Table


def _cw(file: str, *alerts: Seen, outcome: str = "alerts", says: str = "", later: bool = False) -> Row:
    return Row(f"cloudwatch/{file}.json", "cloudwatch", outcome, alerts, says, later)


def _alarm(file: str, arn: str, name: str, status: str = "firing", severity: str = "medium") -> Row:
    return _cw(file, Seen({"arn": f"arn:aws:cloudwatch:{arn}"}, name, status, severity))


_CLOUDWATCH = (
    # Without an AlarmArn the ARN is put together from account, name and the region of the topic.
    _alarm("sns_http_alarm", "eu-west-1:1234567890:alarm:bucketbytesAlarm", "bucketbytesAlarm"),
    _cw("sns_http_insufficient_data", outcome="ignored", says="INSUFFICIENT_DATA"),
    _alarm(
        "sns_lambda_alarm_rds",
        "us-west-2:123456789123:alarm:awsrds-app-High-DB-Connections",
        "awsrds-app-High-DB-Connections",
    ),
    _alarm("sns_lambda_alarm_elb", "eu-west-1:111111111111111:alarm:Sample Alert", "Sample Alert"),
    _cw("sns_lambda_elastic_beanstalk_text", outcome="quarantined", says="is text", later=True),
    _cw("sns_lambda_autoscaling", outcome="quarantined", says="no alarm", later=True),
    _cw("sns_lambda_elasticache", outcome="quarantined", says="no alarm", later=True),
    _cw(
        "bare_alarm_message",
        Seen({"account": "000000000000", "region": "EU - Ireland", "name": "Example"}, "Example", "firing", "medium"),
    ),
    _cw("sns_lambda_text_message", outcome="quarantined", says="is text", later=True),
    _cw("eventbridge_guardduty_high", outcome="quarantined", says="GuardDuty", later=True),
    _cw("eventbridge_aws_health", outcome="quarantined", says="AWS Health", later=True),
    _alarm("sns_lambda_alarm_from_insufficient", "REGION:ACCOUNT_NUMBER:alarm:EXAMPLE", "EXAMPLE"),
    _alarm("lambda_action_composite_alarm", "us-east-1:111122223333:alarm:SuppressionDemo.Main", "CompositeDemo.Main"),
    _alarm("lambda_action_single_metric", "eu-west-1:912397435824:alarm:test_alarm", "Test alert"),
    _alarm(
        "eventbridge_ok_single_metric", "us-east-1:123456789012:alarm:ServerCpuTooHigh", "ServerCpuTooHigh", "resolved"
    ),
    _alarm("eventbridge_alarm_short", "us-east-1:123456789012:alarm:HighCPUUtilization", "HighCPUUtilization"),
    _cw("keep_mock_high_cpu_usage", outcome="quarantined", says="state must be"),
    # The priority is packed in the description.
    _alarm(
        "sns_pytorch_alarm",
        "us-east-1:123456789012:alarm:Runners-ASG-InsufficientInstances",
        "Runners-ASG-InsufficientInstances",
        severity="critical",
    ),
    _cw("sns_pytorch_corrupted", outcome="quarantined", says="state must be"),
    _alarm("sns_pytorch_missing_priority", "us-east-1:123456789012:alarm:CPU-Utilization-High", "CPU-Utilization-High"),
)

TABLE = Table("cloudwatch", _CLOUDWATCH, ())
