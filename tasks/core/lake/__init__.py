"""What the lake keeps and what it refuses: declared columns, row keys, labels, snapshots."""
