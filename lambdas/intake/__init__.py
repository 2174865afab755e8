"""Accept requests from the API and the drop folder: check, record and queue them."""
