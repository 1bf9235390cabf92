"""What is out of order now, and what people are told of it: findings, what was told, the text of a message."""
