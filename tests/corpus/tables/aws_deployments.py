"""What each real payload of aws_deployments is."""

from __future__ import annotations

from tests.corpus.rows import Changed, Row, Table

_EAST, _WEST = {"region": "us-east-1"}, {"region": "us-west-2"}

TABLE = Table(
    "aws_deployments",
    (
        Row(
            "aws_deployments/codedeploy_success_eventbridge.json",
            "aws_deployments",
            "changes",
            changes=(
                Changed(
                    {**_EAST, "account": "123456789012", "deployment": "d-123456789"},
                    "deployment",
                    "deploy myApplication to myDeploymentGroup",
                    "succeeded",
                    "myApplication",
                    "myDeploymentGroup",
                    when="2016-06-30T22:06:31Z",
                ),
            ),
        ),
        Row(
            "aws_deployments/codedeploy_succeeded_sns.json",
            "aws_deployments",
            "changes",
            changes=(
                Changed(
                    {**_EAST, "account": "123456789", "deployment": "d-123ABC456"},
                    "deployment",
                    "deploy your-application-name to your-application-name-group",
                    "succeeded",
                    "your-application-name",
                    "your-application-name-group",
                    when="2016-08-10T19:12:12.411Z",
                ),
            ),
        ),
        # A text among notices of an unknown topic could be of any AWS service.
        Row(
            "aws_deployments/codedeploy_setup_text_sns.json",
            "aws_deployments",
            "ignored",
            says="is a text, no event of a deployment",
        ),
        Row(
            "aws_deployments/codepipeline_stage_started.json",
            "aws_deployments",
            "changes",
            changes=(
                Changed(
                    {
                        **_EAST,
                        "account": "123456789012",
                        "execution": "01234567-0123-0123-0123-012345678901",
                        "pipeline": "myPipeline",
                    },
                    "pipeline run",
                    "myPipeline",
                    "started",
                    "myPipeline",
                    "us-east-1",
                    when="2017-04-22T03:31:47Z",
                    revision="01234567-0123-0123-0123-012345678901",
                ),
            ),
        ),
        Row(
            "aws_deployments/codepipeline_stage_failed_sns.json",
            "aws_deployments",
            "changes",
            changes=(
                Changed(
                    {
                        **_EAST,
                        "account": "123456789123",
                        "execution": "00000000-0000-0000-0000-000000000000",
                        "pipeline": "a-pipeline-project",
                        "stage": "Build",
                    },
                    "pipeline run",
                    "a-pipeline-project Build",
                    "failed",
                    "a-pipeline-project",
                    "us-east-1",
                    when="2018-02-14T07:14:14Z",
                    revision="00000000-0000-0000-0000-000000000000",
                ),
            ),
        ),
        # The time in it is the zero of Unix: the arrival stands for it.
        Row(
            "aws_deployments/autoscaling_launch_unsuccessful.json",
            "aws_deployments",
            "changes",
            changes=(
                Changed(
                    {
                        **_WEST,
                        "account": "123456789012",
                        "activity": "87654321-4321-4321-4321-210987654321",
                        "group": "my-auto-scaling-group",
                    },
                    "instance launch",
                    "instance launch in my-auto-scaling-group",
                    "failed",
                    "my-auto-scaling-group",
                    "us-west-2",
                ),
            ),
        ),
    ),
)
