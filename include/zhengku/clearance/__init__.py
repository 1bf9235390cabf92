"""Daily clearance (日清日结): the lists of services that nobody rated, bad reviews, and the rates of 好差评."""
