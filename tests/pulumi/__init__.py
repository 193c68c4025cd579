"""Tests of the Pulumi Cloud streams."""
