"""The report of a case on one page, as HTML and as PDF: what both say is in `contents`, the pictures in `pictures`."""
