"""Recipes: TOML with extends, profiles and --set, to one validated Recipe."""
