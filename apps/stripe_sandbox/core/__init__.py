"""What all objects need: requests, parameters, storage, shapes, events, time and money."""
