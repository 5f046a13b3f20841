"""Proofs of events, for readers who trust the validators' keys alone (pure).

Source: docs/reference/proofs.md.
"""
