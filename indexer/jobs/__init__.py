"""The jobs, one file each: what a user asks for, put together from the layers below."""
