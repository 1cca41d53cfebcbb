"""The objects of Stripe's API, a module for each family. Importing this package fills the table of routes."""
