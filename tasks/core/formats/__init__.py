"""What files hold, by their bytes: archives, Parquet, JSON, workbooks, queries; and text, which `core/reading` takes apart."""
