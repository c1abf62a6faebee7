"""The jobs of Evergreen: one file, one Prefect flow, one `python -m flows.<job>`."""
