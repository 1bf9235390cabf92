"""Transports: the ways in which deliveries are collected, a package for each."""
