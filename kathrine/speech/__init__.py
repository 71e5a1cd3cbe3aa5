"""Synthesis from a model, and what is measured on every wave that is made."""
