"""Images as tables: a column `image`, the labels, and the part of each image where the data say it."""
