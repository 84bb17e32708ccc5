"""Results as files that other programs open: a row of `diffuscope.exports.table` for each format."""

from __future__ import annotations

from diffuscope.exports.export import check_export, export, write_export

__all__ = ["check_export", "export", "write_export"]
