insert into review.night_report (night, version, figures)
values (%(night)s, %(version)s, %(figures)s)
returning
    night,
    version,
    made_at,
    figures
