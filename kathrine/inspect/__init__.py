"""A look inside a model: its parts, what a recipe trains of them, and whether its alignment is right."""
