"""Tests of the way through Meltano and Meltano Hub."""
