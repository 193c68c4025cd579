"""Tests of the simulator of both APIs."""
