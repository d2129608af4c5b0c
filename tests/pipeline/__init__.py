"""Tests of the whole pipeline and of its three protocols, on real brokers and stores."""
