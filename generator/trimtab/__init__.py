"""Trimtab: one settings file steers every deployment file of a repository."""

__version__ = "0.1.0"
