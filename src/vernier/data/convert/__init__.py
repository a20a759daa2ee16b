"""`vernier convert`: a data set as TFRecord files, tar shards or decoded pixels."""
