"""Tests of what every service of the tap shares."""
