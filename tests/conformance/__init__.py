"""The protocol as black boxes: what any node must do, asked over HTTP by a node that is not ours.

Nothing here imports the product, so that its mistakes are not repeated.
"""
