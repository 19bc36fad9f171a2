"""Reading a repository into typed facts: one module per kind of file, put together by `collect`."""
