"""Recipes: TOML with extends, profiles and --set, to one validated Recipe."""

from kathrine.recipe.recipe import DataEntry, Recipe, load_recipe

__all__ = ["DataEntry", "Recipe", "load_recipe"]
