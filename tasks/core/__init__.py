"""What decides: pure functions and frozen types, no engine, no I/O, no clock."""
