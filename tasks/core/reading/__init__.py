"""Text becomes a table: decoded, taken apart, repaired where there is one way, typed by whole columns."""
