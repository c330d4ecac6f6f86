"""A trained network as a function from pixels to restored pixels.

`backends` has what can run one, `planes` runs one on planes of video, at one size.
Values are checked at the edge; nothing here reads or writes a picture's file.
"""
