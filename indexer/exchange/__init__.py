"""Parquet files: collections that go out and come back, and descriptors that were made elsewhere."""
