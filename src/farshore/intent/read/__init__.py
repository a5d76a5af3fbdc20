"""Reading: from text to a tree, from the tree to the models of the keys, from the models to the frozen intent."""
