"""The server that accepts every request: guard, access control, dispatcher, and ministack behind them."""
