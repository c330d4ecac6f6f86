"""People are asked: absolute category ratings after ITU-T P.910, with hidden reference.

`plan` makes a study of pictures, `order` says who sees what when, `answers` keeps what
is given, `serving/` and `page/` ask, `report` tells what came of it by `screening` and
`statistics`. A study is a folder: `study.json`, blind pictures, one SQLite file. Raters
are random tokens, nothing else of a person is kept.
"""
