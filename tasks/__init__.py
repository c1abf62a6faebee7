"""The verbs of Evergreen: what the flows are told in."""
