"""Random requests by the API's own description."""
