"""The server that accepts every request: guard, dispatcher, and ministack behind them."""
