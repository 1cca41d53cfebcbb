"""What stripe-python's generated source says about Stripe's API: operations, parameters and objects."""
