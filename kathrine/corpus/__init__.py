"""From recordings to the prepared corpus, and from it to batches."""
