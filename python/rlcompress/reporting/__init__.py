"""What a run tells: live progress, and reports as text, Markdown, JSON and a plot."""

from __future__ import annotations

from rlcompress.reporting.files import write_reports
from rlcompress.reporting.tables import report_text

__all__ = ["report_text", "write_reports"]
