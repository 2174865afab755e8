"""What takes every request: guard, dispatcher, and ministack behind them."""
