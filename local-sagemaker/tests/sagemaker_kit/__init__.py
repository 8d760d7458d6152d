"""What the tests share: a real service, and short ways to ask it for things."""
