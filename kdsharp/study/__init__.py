"""Opinion studies: absolute category ratings after ITU-T P.910, with hidden reference.

`plan` creates a study, `order` determines who sees what when, `answers` stores ratings,
`serving` and `page/` present the study, `rating_report` evaluates it with `screening`
and `statistics`. A study is a folder: `study.json`, anonymised pictures, and one SQLite
file. Raters are random tokens; no personal data is stored.
"""
