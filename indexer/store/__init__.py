"""Where entries are kept: the Store protocol, the reference in memory, and Milvus."""
