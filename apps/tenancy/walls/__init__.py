"""What keeps one tenant's rows, cache keys and files from every other: roles, policies, the prefix of a transaction."""
