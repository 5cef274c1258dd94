"""Exit statuses."""

from __future__ import annotations

OK = 0
FAILED = 1
"""Finished, but nothing was accepted, or a self-test failed."""
BAD_INPUT = 2
INTERRUPTED = 130
