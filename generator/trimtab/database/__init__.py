"""Work on a repository's migrations at development time; the emitted runner is in the template."""
