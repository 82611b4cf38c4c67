"""Several answers side by side in one cell: panes that stream, a blind vote, a static twin."""
