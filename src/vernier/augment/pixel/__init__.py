"""Operations that are neither a warp nor a matrix: each is a stage of its own."""
