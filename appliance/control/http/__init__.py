"""The API server's HTTP face; the only room with FastAPI, Starlette and uvicorn."""
