"""Tests of the channels against real servers."""
