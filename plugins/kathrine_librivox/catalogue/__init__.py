"""The LibriVox catalogue: which books there are, where their recordings and texts lie, and how they are fetched."""
