"""Fuzzing of everything that reads bytes of strangers: adapters, mappings, proofs of origin, drop-in doors.

`make fuzz` hunts for ten minutes, structure-aware and guided by coverage; what it finds is saved in `corpus/`, and
every test run replays that and hunts for a few seconds more.
"""
