"""The command of tap-pulumi-cloud, whose base URL is not a setting: taken from `PULUMI_URL`."""

import os

from tap_pulumi_cloud.client import PulumiCloudStream  # type: ignore[import-not-found]
from tap_pulumi_cloud.tap import TapPulumiCloud  # type: ignore[import-not-found]

PulumiCloudStream.url_base = os.environ["PULUMI_URL"]
TapPulumiCloud.cli()
