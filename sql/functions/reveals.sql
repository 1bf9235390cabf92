-- Records a try to see the telephone number of a listed service, and returns whether it is granted. `refused_for` is
-- the cause for which the caller refuses it already, null for none; then it is refused only above `hourly_limit`
-- numbers granted to the person in the last hour. Tries of one person wait for each other until their transactions end,
-- so that two at once cannot both be the last one of the limit.
create or replace function clearance.record_reveal(
    of_list bigint, of_record text, asked_by text, asked_for text, refused_for text, hourly_limit integer
)
returns boolean
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    cause text := refused_for;
begin
    perform pg_advisory_xact_lock(hashtextextended('zhengku.reveal.' || asked_by, 0));
    if
        cause is null
        and hourly_limit <= (
            select count(*)
            from clearance.reveal as r
            where
                r.revealed_by = asked_by and r.refusal is null
                and r.revealed_at > clock_timestamp() - interval '1 hour'
        )
    then
        cause := 'over_limit';
    end if;
    insert into clearance.reveal (list_id, record_key, revealed_by, reason, refusal)
    values (of_list, of_record, asked_by, asked_for, cause);
    return cause is null;
end
$$;
