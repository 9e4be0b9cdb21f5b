"""Small programs that run in processes of their own, most of them in the environment of a peer."""
