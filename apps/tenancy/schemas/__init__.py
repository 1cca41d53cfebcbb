"""Making, describing and migrating the schemas of tenant tables, with the owner's credentials."""
