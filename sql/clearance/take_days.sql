-- The days whose rates are to be counted anew; what is touched from here on is counted next time.
delete from clearance.touched_day
where touch_id in (
        select t.touch_id
        from clearance.touched_day as t
    )
returning day
