"""Tests of the decisions at the edge of the notifier."""
