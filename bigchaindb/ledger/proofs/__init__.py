"""Proofs of events, and what they are worth to whoever trusts the validators' keys alone (pure).

Source: docs/reference/proofs.md.
"""
