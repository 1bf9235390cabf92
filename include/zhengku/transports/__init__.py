"""Transports: how deliveries come. One package each for file drops, HTTP interfaces and exchange databases."""
