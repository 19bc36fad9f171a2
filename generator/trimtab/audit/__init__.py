"""The audit of a repository that Trimtab need not have made: repo -> facts -> findings -> report."""
