"""Tests: fast ones first; each against real HTTP and real processes."""
