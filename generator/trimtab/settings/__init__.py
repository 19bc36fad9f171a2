"""Settings: the user's `trimtab.yml`, read and validated."""
