"""Tests over real payloads and specifications that are no part of the project."""
