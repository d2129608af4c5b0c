"""Proof of origin: whether a message comes from whom its source names, form by form, and whether it came before."""
