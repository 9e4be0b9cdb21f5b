"""Index → what other programs read: CSV, JSON, MOT Challenge text, Parquet, CASE/UCO."""
