"""Training: from a recipe and a prepared corpus to a finished run folder."""
