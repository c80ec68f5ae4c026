"""The only place that names concrete classes and puts a master or a worker together."""
